// Doing things at most once in each frame that the browser shows.

/**
 * A function that has `act` called before the next frame, once however often it is called itself.
 * @param {() => void} act
 */
export function onceAFrame(act) {
  let queued = false;
  return () => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      act();
    });
  };
}
