// The script of a notebook's cell and the module of its widget, as Python hands them out.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import vm from "node:vm";

const BUNDLES = new URL("../../workbench/app/bundles/", import.meta.url);
const FACTS = {
  cell: "cell-1", page: "workbench?app=1", height: "600", port: 5006, prefix: "secret",
  root: "http://127.0.0.1:5006/secret", answer: "it is me", hub: "",
};

/** Run the cell's script in a page where `answers` says what each URL is answered with. */
async function filled({ answers, baseUrl, hostname = "hub.example", facts = {} }) {
  const frame = { src: "", height: "600", nextElementSibling: { hidden: true } };
  const config = baseUrl && { textContent: JSON.stringify({ baseUrl }) };
  const elements = { "cell-1": frame, "jupyter-config-data": config };
  const asked = [];
  const waits = [];
  const page = vm.createContext({
    document: { getElementById: (id) => elements[id] ?? null, body: { dataset: {} } },
    location: { hostname, protocol: "https:" },
    setTimeout: (act) => waits.push(act),
    fetch: async (url) => {
      asked.push(url);
      const text = answers[url.split("?")[0]];
      if (text === undefined) throw new TypeError("refused");
      return { ok: true, text: async () => text };
    },
  });
  const script = await readFile(new URL("cell.js", BUNDLES), "utf8");
  const call = `workbenchCell.fill(${JSON.stringify({ ...FACTS, ...facts })})`;
  await vm.runInContext(`(() => { ${script} return ${call}; })()`, page);
  return { frame, asked, waits };
}

test("the frame is filled through Jupyter's proxy where that answers", async () => {
  const root = "/user/jane/proxy/5006/secret";
  const answers = { [`${root}/here`]: "it is me" };
  const { frame, asked } = await filled({ baseUrl: "/user/jane", answers });
  assert.equal(frame.src, `${root}/workbench?app=1`);
  assert.deepEqual(asked, [`${root}/here?connection=proxy&cell=cell-1`]);
});

test("on this machine it is filled directly where no proxy answers", async () => {
  const answers = { "/proxy/5006/secret/here": "another server", [`${FACTS.root}/here`]: "it is me" };
  const { frame } = await filled({ baseUrl: "/", hostname: "localhost", answers });
  assert.equal(frame.src, `${FACTS.root}/workbench?app=1`);
});

test("elsewhere, this machine's address is not asked; a sentence shows after a while", async () => {
  const { frame, asked, waits } = await filled({ facts: { hub: "/hub/" }, answers: {} });
  assert.deepEqual(asked, ["/hub/proxy/5006/secret/here?connection=proxy&cell=cell-1"]);
  assert.equal(frame.src, "");
  assert.ok(frame.nextElementSibling.hidden);
  for (const act of waits) act();
  assert.equal(frame.height, "0");
  assert.ok(!frame.nextElementSibling.hidden);
});

test("the widget's module has what anywidget asks of it", async () => {
  globalThis.window = globalThis;
  try {
    const widget = await import(new URL("tunnel.js", BUNDLES));
    assert.equal(typeof widget.default.render, "function");
  } finally {
    delete globalThis.window;
  }
});
