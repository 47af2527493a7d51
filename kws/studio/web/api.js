/* The studio's server: JSON in and out; what it has against a request is thrown as an Error of its sentence. */

import { S } from "./strings.js";

const FAILED = 400;

/** What an answer says, or its complaint as an Error. */
function parsed(status, text) {
  let found = null;
  try {
    found = text ? JSON.parse(text) : null;
  } catch {
    throw new Error(S.make.garbled(status));
  }
  if (status >= FAILED) throw new Error(found?.error ?? S.make.garbled(status));
  return found;
}

async function ask(method, path, body = null, headers = {}) {
  let answer = null;
  try {
    answer = await fetch(path, { method, body, headers });
  } catch {
    throw new Error(S.make.unreachable);
  }
  return parsed(answer.status, await answer.text());
}

/** What the server tells under a path. */
export const get = (path) => ask("GET", path);

/** Take away what lies under a path. */
export const remove = (path) => ask("DELETE", path);

/** Send a value as JSON, or bytes as they are; what the server answers. */
export function post(path, body = {}) {
  const isBytes = body instanceof ArrayBuffer || ArrayBuffer.isView(body);
  return isBytes
    ? ask("POST", path, body, { "Content-Type": "application/octet-stream" })
    : ask("POST", path, JSON.stringify(body), { "Content-Type": "application/json" });
}

/** Send a file; `onProgress` is told the share that is gone, for which fetch has no way. */
export function put(path, file, onProgress = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onerror = () => reject(new Error(S.make.unreachable));
    request.onload = () => {
      try {
        resolve(parsed(request.status, request.responseText));
      } catch (error) {
        reject(error);
      }
    };
    request.send(file);
  });
}

/** A word as the server names it in its paths. */
export const slug = (word) => word.trim().replace(/[^\p{L}\p{N}_]+/gu, "-").replace(/^[-_]+|[-_]+$/g, "") || "word";

/** The path of a word of that name, and of what lies below it. */
export const wordPath = (name, ...below) => ["api/words", ...[name, ...below].map(encodeURIComponent)].join("/");
