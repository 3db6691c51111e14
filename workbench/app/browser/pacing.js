// Doing things no more often than the browser shows them.

/** What has `act` called before the next frame is shown, however often it is called itself. */
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
