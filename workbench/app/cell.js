// How a notebook's cell reaches the app's server: it tries what there is, best first.

/** Where the server may be found from this page: [door, URL]. */
function* doors(facts) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent).baseUrl : document.body.dataset.baseUrl || facts.hub;
  // The base URL is known to the page only: Jupyter writes it there, a Hub also into the environment.
  if (base) yield ["proxy", `${base.replace(/\/?$/, "/")}proxy/${facts.port}/${facts.prefix}`];
  // Elsewhere, this address would be another machine's.
  const here = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
  if (here || ["vscode-webview:", "file:"].includes(location.protocol)) yield ["direct", facts.root];
}

/** The first door behind which our own server answers, as a URL; null if there is none. */
async function findServer(facts) {
  for (const [door, root] of doors(facts)) {
    try {
      const answer = await fetch(`${root}/here?door=${door}&cell=${facts.cell}`);
      if (answer.ok && (await answer.text()) === facts.answer) return root;
    } catch {
      // Refused or blocked: the next one.
    }
  }
  return null;
}

/** Show the app in a frame; true if its server was found. */
async function showApp(frame, facts) {
  const root = await findServer(facts);
  if (root) frame.src = `${root}/${facts.page}`;
  return Boolean(root);
}
