// What the server takes, from its GET /limits.

import { limits as ask } from './api.js';

// Number that all classes share; null where they differ.
function shared(defaults) {
  const values = new Set(Object.values(defaults));
  return values.size === 1 ? [...values][0] : null;
}

// image: {formats, maxBytes, maxPixels}, video: {maxBytes, maxSeconds} or null, classes: names,
// threshold: {min, max, defaults (by class), shared} or null where it cannot be chosen, maskScale: the same,
// methods: names, method: the default, lifetimeS: for which a job is kept, tokenNeeded
export async function readLimits() {
  const said = await ask();
  return {
    image: { formats: said.formats, maxBytes: said.max_body_bytes, maxPixels: said.max_pixels },
    video: said.max_video_bytes ? { maxBytes: said.max_video_bytes, maxSeconds: said.max_video_s } : null,
    classes: said.classes,
    threshold: said.thresh.adjustable ? { ...said.thresh, shared: shared(said.thresh.defaults) } : null,
    maskScale: { ...said.mask_scale, shared: shared(said.mask_scale.defaults) },
    methods: said.redact.methods,
    method: said.redact.default,
    lifetimeS: said.job_lifetime_s,
    tokenNeeded: said.token_needed,
  };
}
