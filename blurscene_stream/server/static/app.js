// The page: the files of a person, the one that is shown, and who is told when something changes.

import { ServerError, onTokenNeeded } from './api.js';
import { Files, pageTitle, saveResult, stateText } from './files.js';
import { FoundList } from './found.js';
import { accepted, judge, limitsText, measure, setUpIntake } from './intake.js';
import { Item } from './item.js';
import { askBeforeLeaving, askBeforeRemoving } from './leaving.js';
import { readLimits } from './limits.js';
import { Pictures } from './pictures.js';
import { ReviewTools } from './review_tools.js';
import { rotationOf } from './rotation.js';
import { Settings } from './settings.js';
import { Stage } from './stage.js';
import { askAgain, askForToken } from './token_dialog.js';
import { runJob } from './video_job.js';
import { countsText, duration, noteOn, plural } from './words.js';

const place = (id) => document.getElementById(id);

class Page {
  items = [];
  #shown = null;
  #found = null; // FoundList of the shown item
  #foundOf = ''; // and what it lists, as text
  #videos = Promise.resolve(); // one after the other
  #said = '';

  constructor(limits) {
    this.limits = limits;
    this.settings = new Settings(limits, () => this.changed());
    this.stage = new Stage(this.#reviewHooks());
    this.tools = new ReviewTools(this, limits.classes);
    this.files = new Files(this.items, this.settings, (item) => this.show(item));
    this.pictures = new Pictures({
      items: this.items,
      current: () => this.#shown,
      settings: this.settings,
      limits,
      changed: (item) => this.#progressed(item),
    });
    this.#wire();
  }

  current() {
    return this.#shown;
  }

  get view() {
    return document.querySelector('[name="view"]:checked').value;
  }

  say(text) {
    if (text !== this.#said) place('live').textContent = this.#said = text;
  }

  // Take files in; those that the server would refuse are refused here.
  async take(files) {
    const first = this.items.length === 0;
    for (const file of files) {
      const { kind, problem } = judge(file, this.limits);
      if (problem) {
        refuse(`${file.name} ${problem}.`);
        continue;
      }
      const item = new Item(file, kind);
      const tooLarge = await measure(item, this.limits);
      if (tooLarge) {
        refuse(`${file.name} ${tooLarge}.`);
        item.dispose();
        continue;
      }
      if (kind === 'video') item.rotation = await rotationOf(file);
      this.items.push(item);
      if (first && this.items.length === 1) this.show(item);
      this.refresh();
      this.#begin(item);
    }
  }

  show(item) {
    this.#shown = item;
    this.refresh();
    place('file-name').focus({ preventScroll: true });
    this.pictures.wake(0);
  }

  // Something was decided: show it, and render what is not as decided.
  changed() {
    this.refresh();
    this.pictures.wake();
  }

  refresh() {
    const item = this.#shown;
    document.title = pageTitle(this.items, this.settings.now);
    place('intake').hidden = item !== null;
    place('bench').hidden = place('add-files').hidden = item === null;
    if (!item) return;
    const focused = document.activeElement;
    const fresh = item.isFresh(this.settings.now);
    document.querySelectorAll('[name="view"]').forEach((radio) => (radio.disabled = !item.detections));
    place('file-name').textContent = item.name;
    this.stage.show(item, this.view, fresh);
    this.tools.refresh(item);
    this.files.refresh(item);
    this.#refreshFound(item);
    this.#refreshFoot(item, fresh);
    this.#refreshNote(item);
    if (!focused.getClientRects().length) place('file-name').focus({ preventScroll: true }); // what had it is gone
  }

  #begin(item) {
    if (item.kind === 'image') this.pictures.wake(0);
    else this.#runVideo(item);
  }

  #runVideo(item, again = false) {
    item.phase = 'waiting';
    item.progress = { text: 'Waiting for the video before it', share: null, detail: '' };
    this.refresh();
    this.#videos = this.#videos.then(async () => {
      if (!this.items.includes(item) || item.phase !== 'waiting') return;
      await runJob(item, this.settings.now, (changed) => this.#progressed(changed), again);
    });
  }

  #progressed(item) {
    this.refresh();
    if (item !== this.#shown) return item.progress ? undefined : this.say(`${item.name}: ${stateText(item, this.settings.now)}.`);
    if (item.progress) return this.say(item.progress.share === null ? item.progress.text : `${item.progress.text}, ${Math.floor(item.progress.share * 4) * 25} %`);
    if (item.phase === 'done') this.say(`${item.name}: ${countsText(item.counts(this.settings.now))} covered. The result is ready.`);
  }

  #refreshFound(item) {
    const reviews = this.stage.review !== null;
    const isVideo = item.kind === 'video';
    place('found').hidden = !reviews;
    place('found-title').textContent = isVideo ? 'Review' : 'Found';
    place('found-list').hidden = isVideo;
    place('faint-choice').hidden = isVideo || item.trusted;
    place('timeline').hidden = !reviews || !isVideo;
    place('video-help').hidden = !isVideo;
    if (!reviews) return;
    const key = `${item.id} ${item.objectsVersion}`;
    if (key !== this.#foundOf) {
      this.#foundOf = key;
      place('found-list').replaceChildren();
      place('timeline').replaceChildren();
      this.#found = new FoundList(place(isVideo ? 'timeline' : 'found-list'), item, item.thumbnails, this.#foundHooks());
    }
    this.#found.refresh();
  }

  #refreshFoot(item, fresh) {
    const video = item.kind === 'video';
    const settings = this.settings.now;
    const other = video && item.detectedWith !== null && item.detectedWith !== settings.detectKey;
    const idle = item.phase === 'done';
    place('render').hidden = !(video && idle && (!fresh || other));
    place('render').textContent = other ? 'Detect again' : 'Render again';
    place('render').classList.toggle('primary', video && idle && !fresh);
    place('download').disabled = !fresh || !idle;
    place('download').classList.toggle('primary', place('render').hidden || fresh);
    place('counts').replaceChildren(...this.#counts(item, fresh, other));
  }

  #counts(item, fresh, other) {
    if (!item.detections || item.phase === 'failed' || item.phase === 'stopped') return [];
    const settings = this.settings.now;
    const kept = item.objects.filter((object) => item.isFound(object, settings) && !item.isCovered(object, settings)).length;
    const added = item.edits.added.length;
    const line = document.createElement('span');
    line.textContent = `${countsText(item.counts(settings))} covered`;
    const notes = [kept ? `${kept} left visible` : '', added ? `${plural(added, 'box', 'boxes')} added` : ''].filter(Boolean);
    if (other) notes.push('detecting again looks at the whole video anew, and drops what you decided');
    else if (!fresh && item.kind === 'video') notes.push('the result does not have your changes yet');
    else if (!fresh) notes.push(item.progress?.text === 'The server is busy' ? `the server is busy; ${item.progress.detail.toLowerCase()}` : 'rendering');
    const note = document.createElement('span');
    Object.assign(note, { className: 'fine', textContent: notes.join(' · ') });
    return [line, note];
  }

  #refreshNote(item) {
    const note = noteOn(item, this.view);
    place('stage-note').hidden = !note || item.phase === 'failed' || item.phase === 'stopped';
    place('stage-note').textContent = note;
  }

  #reviewHooks() {
    return {
      settings: () => this.settings.now,
      showFaint: () => place('show-faint').checked,
      label: () => this.tools.label,
      range: () => this.tools.range,
      changed: () => this.changed(),
      selected: (id) => this.tools.selected(id),
      drawingEnded: () => this.tools.drawingEnded(),
      remove: (id) => this.tools.remove(id),
      say: (text) => this.say(text),
      onTime: (share) => this.#found?.setTime(share),
      unplayable: (item) => {
        if (!item.result?.playable) return;
        item.result.playable = false;
        this.refresh();
      },
    };
  }

  #foundHooks() {
    return {
      ...this.#reviewHooks(),
      frame: () => this.tools.frame,
      hint: (key, on) => this.stage.review?.hint(key, on),
      go: (key, seconds) => {
        if (seconds === null) return this.stage.review?.focus(key);
        this.stage.player?.pause();
        this.stage.player?.seek(seconds + 0.001);
      },
    };
  }

  async #remove(item) {
    if (item.isUnsaved(this.settings.now) && !(await askBeforeRemoving(item))) return;
    const index = this.items.indexOf(item);
    this.items.splice(index, 1);
    item.dispose();
    this.#shown = null;
    if (this.items.length) return this.show(this.items[Math.min(index, this.items.length - 1)]);
    this.refresh();
    place('choose').focus();
  }

  #retry() {
    const item = this.#shown;
    askAgain();
    item.error = '';
    item.phase = 'waiting';
    if (item.kind === 'video') this.#runVideo(item);
    else this.changed();
  }

  #wire() {
    document.querySelectorAll('[name="view"]').forEach((radio) => radio.addEventListener('change', () => this.refresh()));
    place('show-faint').addEventListener('change', () => this.refresh());
    place('download').addEventListener('click', () => saveResult(this.#shown));
    place('render').addEventListener('click', () => {
      const { detectedWith } = this.#shown;
      this.#runVideo(this.#shown, detectedWith !== null && detectedWith !== this.settings.now.detectKey);
    });
    place('retry').addEventListener('click', () => this.#retry());
    place('cancel').addEventListener('click', () => {
      this.#shown.abort?.abort();
      if (this.#shown.abort) return;
      Object.assign(this.#shown, { phase: 'stopped', progress: null }); // it had not begun
      this.refresh();
    });
    for (const id of ['drop-file', 'close-file']) place(id).addEventListener('click', () => this.#remove(this.#shown));
    askBeforeLeaving(() => this.items.some((item) => item.isUnsaved(this.settings.now)));
  }
}

function refuse(text, again = null) {
  const line = document.createElement('p');
  const words = document.createElement('span');
  words.textContent = text;
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', textContent: again ? 'Try again' : 'Dismiss' });
  button.addEventListener('click', () => {
    line.remove();
    place('refused').hidden = !place('refused').children.length;
    again?.();
  });
  line.append(words, button);
  place('refused').append(line);
  place('refused').hidden = false;
}

async function start() {
  try {
    const limits = await readLimits();
    place('intake-limits').textContent = limitsText(limits);
    place('file-input').accept = accepted(limits);
    if (limits.video) place('retention').textContent = `A picture is never stored on this server. A video is deleted when you have its result, and after ${duration(limits.lifetimeS)} in any case.`;
    const page = new Page(limits);
    setUpIntake((files) => page.take(files));
    place('choose').disabled = false;
    document.documentElement.dataset.ready = 'yes';
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    refuse(error.message, start);
  }
}

onTokenNeeded(askForToken);
start();
