// Requests to the server that sent this page, with progress, retries while it is busy, and its own words for errors.

const MOST_RETRIES = 20;
const LONGEST_WAIT_S = 30;
const UNREACHABLE = 'The server cannot be reached. It may have stopped, or the connection is gone.';

let token = null; // in memory only
let askForToken = async () => null;

// `ask`: called with the server's words when it wants a token; returns one, or null to give up
export function onTokenNeeded(ask) {
  askForToken = ask;
}

export class ServerError extends Error {
  constructor(message, status = 0, retryAfterS = null) {
    super(message);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

function abortError() {
  return new DOMException('stopped', 'AbortError');
}

export function wait(seconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError());
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener('abort', () => (clearTimeout(timer), reject(abortError())), { once: true });
  });
}

async function errorOf(request) {
  let words = '';
  try {
    const text = await request.response.text();
    words = request.getResponseHeader('Content-Type')?.includes('json') ? JSON.parse(text).error : text;
  } catch {
    // no body, or none that can be read: the status must do
  }
  const line = String(words || '').split('\n')[0].slice(0, 400);
  const after = Number(request.getResponseHeader('Retry-After'));
  return new ServerError(line || `The server answered ${request.status}.`, request.status, after > 0 ? after : null);
}

// One request. XMLHttpRequest, because fetch cannot tell how much of a body has been sent.
function once(method, path, { query, body, type, accept, onSent, onReceived, signal }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError());
    const request = new XMLHttpRequest();
    const parameters = new URLSearchParams(query ?? {}).toString();
    request.open(method, parameters ? `${path}?${parameters}` : path);
    request.responseType = 'blob';
    request.setRequestHeader('Accept', accept ?? 'application/json, */*;q=0.1');
    if (type) request.setRequestHeader('Content-Type', type);
    if (token !== null) request.setRequestHeader('Authorization', `Bearer ${token}`);
    const stop = () => request.abort();
    signal?.addEventListener('abort', stop, { once: true });
    request.onloadend = () => signal?.removeEventListener('abort', stop);
    request.onabort = () => reject(abortError());
    request.onerror = () => reject(new ServerError(UNREACHABLE));
    request.onload = async () => (request.status < 400 ? resolve(request) : reject(await errorOf(request)));
    if (onSent) request.upload.onprogress = ({ loaded, total }) => onSent(loaded, total);
    if (onReceived) request.onprogress = ({ loaded, total }) => onReceived(loaded, total);
    request.send(body ?? null);
  });
}

// A request, asked again with a token when the server wants one, and later when it is busy.
// onBusy: called with the seconds until the next try
async function send(method, path, options = {}) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await once(method, path, options);
    } catch (error) {
      if (error.status === 401) {
        const given = await askForToken(error.message);
        if (given === null) throw error;
        token = given;
      } else if (error.status === 503 && error.retryAfterS !== null && tries < MOST_RETRIES) {
        const seconds = Math.min(error.retryAfterS, LONGEST_WAIT_S);
        options.onBusy?.(seconds);
        await wait(seconds, options.signal);
      } else {
        throw error;
      }
    }
  }
}

async function json(request) {
  return JSON.parse(await request.response.text());
}

// A file without its name, which is nobody's business
function form(field, file, detections) {
  const made = new FormData();
  made.append(field, file, field);
  if (detections !== undefined) {
    made.append('detections', new Blob([detections], { type: 'application/jsonl' }), 'detections.jsonl');
  }
  return made;
}

export const limits = async () => json(await send('GET', 'limits'));

export async function detect(file, query, options) {
  const answer = await send('POST', 'detect', { ...options, query, body: form('image', file), accept: 'application/jsonl' });
  return answer.response.text();
}

export async function render(file, detections, query, options) {
  return (await send('POST', 'render', { ...options, query, body: form('image', file, detections), accept: 'image/*' })).response;
}

export async function startJob(file, detections, query, options) {
  const type = file.type.startsWith('video/') ? file.type : 'video/octet-stream'; // the server looks at what is in it
  const sent = detections === undefined ? { body: file, type } : { body: form('video', file, detections) };
  return json(await send('POST', 'jobs', { ...options, query, ...sent }));
}

const jobPath = (id) => `jobs/${encodeURIComponent(id)}`;

export const job = async (id, options) => json(await send('GET', jobPath(id), options));

export async function jobDetections(id, options) {
  return (await send('GET', `${jobPath(id)}/detections`, { ...options, accept: 'application/jsonl' })).response.text();
}

export async function jobResult(id, options) {
  return (await send('GET', `${jobPath(id)}/result`, { ...options, accept: 'video/*' })).response;
}

// Stop a job and delete its files; `keepalive`: even while the page is being left
export function deleteJob(id) {
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  return fetch(jobPath(id), { method: 'DELETE', headers, keepalive: true }).catch(() => undefined);
}
