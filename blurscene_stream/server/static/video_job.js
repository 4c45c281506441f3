// A video as a job of the server: sent, followed, fetched; the server deletes it when its result was fetched.

import * as api from './api.js';
import { bytes, countsText, plural } from './words.js';

const FIRST_POLL_S = 0.4;
const LONGEST_POLL_S = 2;
const MOST_LOST_POLLS = 5;
const running = new Set(); // ids of jobs

addEventListener('pagehide', () => running.forEach(api.deleteJob)); // nobody will fetch their results

// Run the job of a video: a detection, or with the item's own detections a rendering of what is covered.
// settings: the Choice at its start
// changed: called whenever the item has something new to show
export async function runJob(item, settings, changed, detectAgain = false) {
  const report = (text, share = null, detail = '') => {
    item.progress = { text, share, detail };
    changed(item);
  };
  item.abort = new AbortController();
  item.phase = 'working';
  let id = null;
  try {
    const fresh = detectAgain || !item.detections;
    const key = fresh ? null : item.renderKey(settings);
    id = await start(item, settings, fresh, report);
    running.add(id);
    await followed(id, item, fresh, report);
    const { signal } = item.abort;
    report('Fetching the result');
    if (fresh) {
      item.take(await api.jobDetections(id, { signal }), true);
      item.detectedWith = settings.detectKey;
    }
    const onReceived = (got, total) => report('Fetching the result', total ? got / total : null, total ? `${bytes(got)} of ${bytes(total)}` : '');
    item.setResult(await api.jobResult(id, { signal, onReceived }), key ?? item.renderKey(settings));
    item.acceptLoad();
    item.phase = 'done';
    running.delete(id);
  } catch (error) {
    if (id !== null) {
      running.delete(id);
      api.deleteJob(id);
    }
    failed(item, error);
  }
  item.progress = null;
  item.abort = null;
  changed(item);
}

function failed(item, error) {
  if (error.name === 'AbortError') {
    item.phase = item.result ? 'done' : 'stopped';
  } else if (item.isLoadPending && item.result) {
    item.undoLoad(error.message);
    item.phase = 'done';
  } else {
    item.phase = 'failed';
    item.error = error.message;
  }
}

async function start(item, settings, fresh, report) {
  report('Sending the video', 0);
  const query = fresh ? { ...settings.renderQuery, ...settings.detectQuery } : settings.renderQuery;
  const { id } = await api.startJob(item.file, fresh ? undefined : item.detectionsText(settings), query, {
    signal: item.abort.signal,
    onSent: (sent, total) => report('Sending the video', sent / total, `${bytes(sent)} of ${bytes(total)}`),
    onBusy: (seconds) => report('The server is busy', null, `Trying again in ${seconds} s`),
  });
  return id;
}

async function followed(id, item, fresh, report) {
  let pause = FIRST_POLL_S;
  let lost = 0;
  for (;;) {
    let state;
    try {
      state = await api.job(id, { signal: item.abort.signal });
      lost = 0;
    } catch (error) {
      if (error.status !== 0 || (lost += 1) > MOST_LOST_POLLS) throw error; // a connection may come back
      await api.wait(pause, item.abort.signal);
      continue;
    }
    if (state.state === 'done') return;
    if (state.state === 'failed') throw new api.ServerError(state.error ?? 'The server could not finish this video.');
    if (state.state === 'cancelled') throw new DOMException('stopped', 'AbortError');
    show(state, fresh, report);
    await api.wait(pause, item.abort.signal);
    pause = Math.min(LONGEST_POLL_S, pause * 1.3);
  }
}

function show({ state, frames_done: done, frames_total: total, counts }, fresh, report) {
  if (state === 'queued') return report('Waiting for its turn');
  const found = new Map(Object.entries(counts ?? {}));
  const frames = total ? `${done.toLocaleString('en')} of ${plural(total, 'frame')}` : plural(done, 'frame');
  const detail = [...found.values()].some((count) => count > 0) ? `${frames}; covered so far: ${countsText(found)}` : frames;
  report(fresh ? 'Looking for faces and licence plates' : 'Covering', total ? Math.min(1, done / total) : null, detail);
}
