// Requests to the server of the page. A change is sent with a header of our own, which a page
// of another origin cannot send.

import { make } from "./elements.js";

/**
 * @param {string} path below `study/`
 * @returns {Promise<any>}
 */
export async function ask(path) {
  return told(await fetch(`study/${path}`));
}

/**
 * @param {string} path below `study/`
 * @param {object} message
 * @returns {Promise<any>}
 */
export async function tell(path, message) {
  const headers = { "Content-Type": "application/json", "X-Workbench": "1" };
  return told(await fetch(`study/${path}`, { method: "POST", headers, body: JSON.stringify(message) }));
}

/**
 * Save a file of the server.
 * @param {string} path below `study/`
 * @param {Record<string, string>} query
 * @param {string} name of the file
 */
export function save(path, query, name) {
  const link = make("a");
  link.href = `study/${path}?${new URLSearchParams(query)}`;
  link.download = name;
  link.click();
}

/** The server has understood a request, and says why it does not do it. */
export class Refusal extends Error {}

/** @param {Response} response */
async function told(response) {
  const message = await response.json().catch(() => ({}));
  if (message.error) throw response.status < 500 ? new Refusal(message.error) : new Error(message.error);
  if (response.status === 403) throw new Error("You may not do this, or your login has ended: reload this page.");
  if (!response.ok) throw new Error(`The server answers with status ${response.status}.`);
  return message;
}
