// Finds the app's server from the frame in a notebook's cell: tries connections, best first.

const PATIENCE_MS = 15000; // by then the kernel would have sent a widget in the frame's place

/**
 * Values with which the frame finds the server, written by `cell.py`.
 * @typedef {object} Facts
 * @property {string} cell id of the frame
 * @property {string} page what to show, relative to the server's root
 * @property {string} height of the frame, in pixels
 * @property {number} port
 * @property {string} prefix
 * @property {string} root URL below which everything is
 * @property {string} answer what tells this server from any other
 * @property {string} hub base URL that a Hub has given to the kernel; empty: none
 */

/**
 * Possible URLs of the server from this page: [connection, URL].
 * @param {Facts} facts
 * @returns {Generator<[string, string]>}
 */
function* connections(facts) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent ?? "").baseUrl : document.body.dataset.baseUrl || facts.hub;
  // Only the page knows the base URL: Jupyter writes it there, a Hub also into the environment.
  if (base) yield ["proxy", `${base.replace(/\/?$/, "/")}proxy/${facts.port}/${facts.prefix}`];
  // Elsewhere, this address would be another machine's.
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
  if (here || ["vscode-webview:", "file:"].includes(location.protocol)) yield ["direct", facts.root];
}

/**
 * Return the URL of the first connection on which our own server answers; null if there is none.
 * @param {Facts} facts
 */
async function findServer(facts) {
  for (const [connection, root] of connections(facts)) {
    try {
      const answer = await fetch(`${root}/here?connection=${connection}&cell=${facts.cell}`);
      if (answer.ok && (await answer.text()) === facts.answer) return root;
    } catch {
      // Refused or blocked: the next one.
    }
  }
  return null;
}

/**
 * Show the app in a frame; true if its server was found.
 * @param {HTMLIFrameElement} frame
 * @param {Facts} facts
 */
export async function showApp(frame, facts) {
  const root = await findServer(facts);
  if (root) frame.src = `${root}/${facts.page}`;
  return Boolean(root);
}

/**
 * Show the app in the frame that stands in the page; the sentence after it if that fails.
 * @param {Facts} facts
 */
export async function fill(facts) {
  const frame = /** @type {HTMLIFrameElement | null} */ (document.getElementById(facts.cell));
  if (!frame || (await showApp(frame, facts))) return;
  setTimeout(() => {
    frame.height = "0";
    /** @type {HTMLElement} */ (frame.nextElementSibling).hidden = false;
  }, PATIENCE_MS);
}
