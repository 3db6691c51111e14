// Copying text, also on pages without TLS, where browsers have no clipboard for scripts.

/**
 * Copy a text; whether it could be copied.
 * @param {string} text
 * @param {HTMLElement} beside element beside which a field may be for a moment
 */
export async function copyText(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text, beside);
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} beside
 */
function copyBySelection(text, beside) {
  const field = beside.appendChild(document.createElement("textarea"));
  field.value = text;
  field.style.cssText = "position: absolute; opacity: 0";
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
  }
}
