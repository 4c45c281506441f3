// A file of the person, what was found in it, what was decided, and the result.

import { DetectionsError, DetectionsFile } from './detections_file.js';
import { Edits } from './edits.js';
import { bestBox, objectsOf } from './objects.js';
import { Thumbnails } from './thumbnails.js';

let nextId = 1;

export class Item {
  #beforeLoad = null; // what a file that was loaded replaced
  // kind: image or video; phase: waiting, working, done, failed or stopped
  // showable: whether this browser can show the file; null while that is not known
  constructor(file, kind) {
    this.id = nextId++;
    this.file = file;
    this.name = file.name;
    this.kind = kind;
    this.url = URL.createObjectURL(file);
    this.showable = null;
    this.still = null; // of a video: the address of a small picture of its start
    this.rotation = 0; // clockwise, of a video as shown against as stored, in degrees
    this.phase = 'waiting';
    this.progress = null; // {text, share (null: unknown), detail}
    this.error = '';
    this.loadError = ''; // why a detections file was refused
    this.detections = null;
    this.objects = [];
    this.objectsVersion = 0; // another number for other objects
    this.edits = new Edits();
    this.trusted = false; // whether all boxes of the file count, whatever their score
    this.detectedWith = null; // the settings of the detection, as text
    this.result = null; // {blob, url, key, playable: false where this browser cannot show it}
    this.savedKey = null; // the key of the result that was downloaded last
    this.abort = null; // AbortController of what is under way
    this.thumbnails = new Thumbnails(this);
  }

  // Take what was found; `trusted`: see above. Raises DetectionsError.
  take(text, trusted) {
    const detections = new DetectionsFile(text);
    if (this.kind === 'image' && detections.frames.length !== 1) {
      throw new DetectionsError(`this is of a video, with ${detections.frames.length} frames; a picture has one`);
    }
    this.detections = detections;
    this.objects = objectsOf(detections);
    this.objectsVersion += 1;
    this.trusted = trusted;
    this.edits = new Edits();
  }

  // Replace it by a file that a person loaded: every box in it counts. Raises DetectionsError.
  load(text) {
    const loaded = new DetectionsFile(text);
    const { width, height } = this.detections ?? loaded;
    if (loaded.width !== width || loaded.height !== height) {
      throw new DetectionsError(`this is of a picture of ${loaded.width} x ${loaded.height} pixels, ${this.name} has ${width} x ${height}`);
    }
    const { detections, objects, edits, trusted } = this;
    this.take(text, true);
    this.#beforeLoad = { detections, objects, edits, trusted };
    this.loadError = '';
  }

  get isLoadPending() {
    return this.#beforeLoad !== null;
  }

  // The server took what was loaded.
  acceptLoad() {
    this.#beforeLoad = null;
  }

  // The server refused what was loaded, for this `reason`: back to what was there before.
  undoLoad(reason) {
    Object.assign(this, this.#beforeLoad, { loadError: reason, objectsVersion: this.objectsVersion + 1 });
    this.#beforeLoad = null;
  }

  // Whether the settings alone would cover an object.
  isFound(object, settings) {
    return settings.classes.has(object.label) && (this.trusted || object.score >= settings.thresholdOf(object.label));
  }

  isCovered(object, settings) {
    return this.edits.decision(object.key) ?? this.isFound(object, settings);
  }

  covered(settings) {
    return this.objects.filter((object) => this.isCovered(object, settings));
  }

  // How many of each class are covered, as a Map.
  counts(settings) {
    const counts = new Map();
    for (const { label } of [...this.covered(settings), ...this.edits.added]) counts.set(label, (counts.get(label) ?? 0) + 1);
    return counts;
  }

  // The detections file that says what is covered.
  detectionsText(settings) {
    const chosen = new Set(this.covered(settings).flatMap(({ boxes }) => boxes.map(({ frame, index }) => `${frame} ${index}`)));
    return this.detections.write((frame, index) => chosen.has(`${frame} ${index}`), (frame) =>
      this.edits.added.filter(({ from, to }) => from <= frame && frame <= to),
    );
  }

  // Text that is equal for two equal results; null before anything was found.
  renderKey(settings) {
    if (!this.detections) return null;
    const keys = this.covered(settings).map(({ key }) => key);
    return JSON.stringify([settings.method, settings.maskScale, keys, this.edits.added.map(({ label, xyxy, from, to }) => [label, xyxy, from, to])]);
  }

  isFresh(settings) {
    return this.result !== null && this.result.key === this.renderKey(settings);
  }

  setResult(blob, key) {
    if (this.result) URL.revokeObjectURL(this.result.url);
    this.result = { blob, url: URL.createObjectURL(blob), key, playable: true };
  }

  // Whether a person would lose work, or wait for a video again, if the page were gone now.
  isUnsaved(settings) {
    const isVideo = this.kind === 'video';
    if (isVideo && ['waiting', 'working'].includes(this.phase)) return true;
    return (this.edits.canUndo || (isVideo && this.result !== null)) && this.savedKey !== this.renderKey(settings);
  }

  // street.jpg -> street_anonymized.jpg, with the ending of what the result really is
  resultName() {
    const stem = this.name.replace(/\.[^.]+$/, '') || this.name;
    const own = this.name.slice(stem.length + 1);
    const types = { 'image/jpeg': ['jpg', 'jpeg', 'jpe'], 'image/png': ['png'], 'video/mp4': ['mp4', 'm4v'], 'video/x-matroska': ['mkv'] };
    const endings = types[this.result.blob.type.split(';')[0]] ?? [own || 'bin'];
    return `${stem}_anonymized.${endings.includes(own.toLowerCase()) ? own : endings[0]}`;
  }

  bestOf(object) {
    return bestBox(object);
  }

  dispose() {
    this.abort?.abort();
    this.thumbnails.dispose();
    URL.revokeObjectURL(this.url);
    if (this.result) URL.revokeObjectURL(this.result.url);
  }
}
