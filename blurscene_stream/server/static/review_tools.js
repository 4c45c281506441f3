// The buttons of the review, and the detections file on its way out and in.

import { DetectionsError } from './detections_file.js';
import { save } from './files.js';
import { classTitle } from './words.js';

const ADDED_S = 1; // seconds before and after the present for which a box that is added to a video is there

const place = (id) => document.getElementById(id);

export class ReviewTools {
  // page: {current(), stage, settings, changed(), say(text)}
  constructor(page, classes) {
    this.page = page;
    for (const name of classes) place('box-class').append(new Option(classTitle(name), name));
    place('add-box').addEventListener('click', ({ detail }) => this.#addBox(detail === 0));
    place('box-class').addEventListener('change', () => this.#changeClass());
    place('remove-box').addEventListener('click', () => this.remove(page.stage.review?.selected));
    place('undo').addEventListener('click', () => this.#go('undo'));
    place('redo').addEventListener('click', () => this.#go('redo'));
    place('save-detections').addEventListener('click', () => this.#save());
    place('load-detections').addEventListener('click', () => place('detections-input').click());
    place('detections-input').addEventListener('change', () => this.#load());
    document.addEventListener('keydown', (event) => this.#key(event));
  }

  get label() {
    return place('box-class').value;
  }

  // The frames in which a box that is added now is there
  get range() {
    const { detections } = this.page.current();
    const now = detections.timeOf(this.frame);
    return [detections.frameAt(now - ADDED_S), detections.frameAt(now + ADDED_S)];
  }

  get frame() {
    return this.page.stage.review?.frame ?? 0;
  }

  refresh(item) {
    const { review } = this.page.stage;
    place('review-tools').hidden = !review;
    place('undo').disabled = !item.edits.canUndo;
    place('redo').disabled = !item.edits.canRedo;
    place('remove-box').disabled = !review || review.selected === null;
    place('save-detections').disabled = place('load-detections').disabled = !item.detections || item.phase === 'working' && item.kind === 'video';
    place('exchange-error').hidden = !item.loadError;
    place('exchange-error').textContent = item.loadError;
  }

  // Told by the review
  selected(id) {
    const box = this.page.current().edits.added.find((each) => each.id === id);
    if (box) place('box-class').value = box.label;
    place('remove-box').disabled = !box;
  }

  drawingEnded() {
    this.#setDrawing(false);
  }

  remove(id) {
    if (!id) return;
    const item = this.page.current();
    item.edits.remove(id);
    this.page.changed();
    this.page.say('Box removed.');
    place('add-box').focus();
  }

  #addBox(byKeyboard) {
    const { review } = this.page.stage;
    if (byKeyboard) return review.place();
    const drawing = place('add-box').getAttribute('aria-pressed') !== 'true';
    this.#setDrawing(drawing);
    if (drawing) this.page.say('Drag over what was missed, or press Enter for a box in the middle.');
  }

  #setDrawing(drawing) {
    place('add-box').setAttribute('aria-pressed', String(drawing));
    place('draw-hint').hidden = !drawing;
    this.page.stage.review?.setDrawing(drawing);
  }

  #changeClass() {
    const id = this.page.stage.review?.selected;
    if (!id) return;
    this.page.current().edits.change(id, { label: this.label });
    this.page.changed();
  }

  #go(way) {
    this.page.current().edits[way]();
    this.page.changed();
  }

  #key(event) {
    const item = this.page.current();
    if (!item || !this.page.stage.review || event.target.closest?.('input:not([type="checkbox"], [type="radio"], [type="range"]), dialog')) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (command && (key === 'z' || key === 'y')) {
      event.preventDefault();
      this.#go(key === 'y' || event.shiftKey ? 'redo' : 'undo');
    } else if (event.key === 'Escape') {
      this.drawingEnded();
    }
  }

  #save() {
    const item = this.page.current();
    const text = item.detectionsText(this.page.settings.now);
    save(new Blob([text], { type: 'application/jsonl' }), `${item.name.replace(/\.[^.]+$/, '')}.jsonl`);
  }

  async #load() {
    const [file] = place('detections-input').files;
    place('detections-input').value = '';
    const item = this.page.current();
    if (!file || !item) return;
    try {
      item.load(await file.text());
      if (item.phase === 'failed') item.phase = 'waiting';
      this.page.say(`${file.name} loaded.`);
    } catch (error) {
      if (!(error instanceof DetectionsError)) throw error;
      item.loadError = `${file.name}: ${error.message}`;
    }
    this.page.changed();
  }
}
