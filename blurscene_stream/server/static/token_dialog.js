// The question for a token; it is asked once for all requests that wait, and not again before the person retries.

let open = null; // promise of the answer
let declined = false;

export function askAgain() {
  declined = false;
}

// reason: the server's words; returns the token, or null for none
export function askForToken(reason) {
  if (declined) return Promise.resolve(null);
  open ??= ask(reason).finally(() => (open = null));
  return open;
}

function ask(reason) {
  const dialog = document.getElementById('token-dialog');
  const field = document.getElementById('token');
  document.getElementById('token-reason').textContent = `The server says: ${reason}. Whoever runs it can give you the token. It is forgotten when you leave this page.`;
  field.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  document.getElementById('token-cancel').onclick = () => dialog.close('');
  return new Promise((resolve) => {
    dialog.onclose = () => {
      const given = dialog.returnValue === 'use' ? field.value.trim() : '';
      field.value = '';
      declined = given === '';
      resolve(given || null);
    };
  });
}
