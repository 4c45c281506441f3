// A video as a job of the server: sent, followed, fetched; the server deletes it when its result was fetched.

import * as api from './api.js';
import { bytes, duration, plural } from './words.js';

const FIRST_POLL_S = 0.4;
const LONGEST_POLL_S = 2;
const LEAST_PASSED_S = 4; // before the time that is left can be told
const LONGEST_LOST_MS = 60_000; // a phone that changes its network, or wakes up
const GONE = 'The server no longer has this video: it was started again, or this page was left for a while. Send the video once more.';
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
    const { signal } = item.abort;
    await followed(id, signal, fresh, report);
    report('Fetching the result');
    if (fresh) {
      item.take(await persistently(() => api.jobDetections(id, { signal }), signal, report), true);
      item.detectedWith = settings.detectKey;
    }
    const onReceived = (got, total) => report('Fetching the result', total ? got / total : null, total ? `${bytes(got)} of ${bytes(total)}` : '');
    const result = await persistently(() => api.jobResult(id, { signal, onReceived }), signal, report);
    item.setResult(result, key ?? item.renderKey(settings));
    item.acceptLoad();
    item.phase = 'done';
    running.delete(id);
  } catch (error) {
    if (id !== null) {
      running.delete(id);
      api.deleteJob(id);
    }
    failed(item, id !== null && error.status === 404 ? new api.ServerError(GONE) : error);
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
  const query = { ...settings.renderQuery, ...(fresh ? settings.detectQuery : {}) };
  if (item.showable === false) query.codec = 'h264'; // else the result of HEVC would be HEVC, which cannot be looked at here either
  const { id } = await api.startJob(item.file, fresh ? undefined : item.detectionsText(settings), query, {
    signal: item.abort.signal,
    onSent: (sent, total) => report('Sending the video', sent / total, `${bytes(sent)} of ${bytes(total)}`),
    onBusy: (seconds) => report('The server is busy', null, `Trying again in ${seconds} s`),
  });
  return id;
}

// Ask until there is an answer: a connection may come back.
async function persistently(ask, signal, report) {
  for (let lostAt = null; ; ) {
    try {
      return await ask();
    } catch (error) {
      lostAt ??= performance.now();
      if (error.status !== 0 || performance.now() - lostAt > LONGEST_LOST_MS) throw error;
      report('The server cannot be reached', null, 'Trying again');
      await api.wait(LONGEST_POLL_S, signal);
    }
  }
}

async function followed(id, signal, fresh, report) {
  let pause = FIRST_POLL_S;
  let first = null;
  for (;;) {
    const state = await persistently(() => api.job(id, { signal }), signal, report);
    if (state.state === 'done') return;
    if (state.state === 'failed') throw new api.ServerError(state.error ?? 'The server could not finish this video.');
    if (state.state === 'cancelled') throw new DOMException('stopped', 'AbortError');
    if (state.state === 'queued') {
      report('Waiting for its turn');
    } else {
      first ??= { done: state.frames_done, timeMs: performance.now() };
      show(state, first, fresh, report);
    }
    await api.wait(pause, signal);
    pause = Math.min(LONGEST_POLL_S, pause * 1.3);
  }
}

// first: the state and the time when frames were seen to be done first
function show({ frames_done: done, frames_total: total }, first, fresh, report) {
  const frames = total ? `${done.toLocaleString('en')} of ${plural(total, 'frame')}` : plural(done, 'frame');
  const passed = (performance.now() - first.timeMs) / 1000;
  const left = passed > LEAST_PASSED_S && done > first.done && total > done ? ((total - done) * passed) / (done - first.done) : null;
  const detail = left === null ? frames : `${frames}, about ${duration(Math.max(1, left))} left`;
  report(fresh ? 'Looking for faces and licence plates' : 'Covering', total ? Math.min(1, done / total) : null, detail);
}
