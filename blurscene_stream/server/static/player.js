// Playback of one video, or of two at the same time: a button, a position, a time.

import { clock } from './words.js';

const MOST_APART_S = 0.06;

function button(label, text) {
  const made = document.createElement('button');
  Object.assign(made, { type: 'button', className: 'icon', textContent: text });
  made.setAttribute('aria-label', label);
  return made;
}

export class Player {
  // leader: the video that sounds; follower: one that is kept at the same time, or null
  // frameS: seconds a step; onTime: called with the leader's time whenever another frame may show
  constructor(leader, follower, frameS, onTime) {
    Object.assign(this, { leader, follower, frameS, onTime });
    for (const video of this.videos) Object.assign(video, { playsInline: true, preload: 'auto', controls: false, loop: false });
    if (follower) follower.muted = true;
    this.element = this.#bar();
    leader.addEventListener('timeupdate', () => this.#told());
    leader.addEventListener('seeked', () => this.#told());
    leader.addEventListener('loadedmetadata', () => this.#told());
    leader.addEventListener('play', () => (this.#told(), this.#tick()));
    leader.addEventListener('pause', () => this.#told());
    leader.addEventListener('ended', () => this.#told());
  }

  get videos() {
    return this.follower ? [this.leader, this.follower] : [this.leader];
  }

  seek(seconds) {
    const last = Number.isFinite(this.leader.duration) ? this.leader.duration : seconds;
    const time = Math.max(0, Math.min(seconds, last));
    this.videos.forEach((video) => (video.currentTime = time));
  }

  pause() {
    this.videos.forEach((video) => video.pause());
  }

  #toggle() {
    if (!this.leader.paused) return this.pause();
    this.videos.forEach((video) => video.play().catch(() => undefined)); // stopped again before it began
  }

  #step(count) {
    this.pause();
    this.seek(this.leader.currentTime + count * this.frameS);
  }

  #tick() {
    if (this.leader.paused || !this.leader.isConnected) return;
    this.#told();
    requestAnimationFrame(() => this.#tick());
  }

  #told() {
    const { currentTime, duration, paused } = this.leader;
    const apart = this.follower ? Math.abs(this.follower.currentTime - currentTime) : 0;
    if (apart > MOST_APART_S && !this.follower.seeking) this.follower.currentTime = currentTime;
    if (this.follower && paused !== this.follower.paused && paused) this.follower.pause();
    this.play.textContent = paused ? '▶' : '❚❚';
    this.play.setAttribute('aria-label', paused ? 'Play' : 'Pause');
    const length = Number.isFinite(duration) ? duration : 0;
    Object.assign(this.position, { max: length, value: currentTime });
    this.time.textContent = `${clock(currentTime)} / ${clock(length)}`;
    this.position.setAttribute('aria-valuetext', this.time.textContent.replace('/', 'of'));
    this.onTime(currentTime);
  }

  #bar() {
    const bar = document.createElement('div');
    bar.className = 'player';
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', 'Playback');
    this.play = button('Play', '▶');
    this.play.addEventListener('click', () => this.#toggle());
    const [back, on] = [button('One frame back', '‹'), button('One frame on', '›')];
    back.addEventListener('click', () => this.#step(-1));
    on.addEventListener('click', () => this.#step(1));
    this.position = document.createElement('input');
    Object.assign(this.position, { type: 'range', min: 0, max: 0, step: 0.01, value: 0 });
    this.position.setAttribute('aria-label', 'Position');
    this.position.addEventListener('input', () => this.seek(Number(this.position.value)));
    this.time = document.createElement('span');
    this.time.className = 'player-time';
    bar.append(this.play, back, on, this.position, this.time);
    return bar;
  }
}
