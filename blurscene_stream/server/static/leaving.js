// What would be lost is asked about first: nothing of a person's files is kept anywhere else.

const place = (id) => document.getElementById(id);

// isUnsaved: tells whether leaving the page would lose something
export function askBeforeLeaving(isUnsaved) {
  addEventListener('beforeunload', (event) => {
    if (isUnsaved()) event.preventDefault();
  });
}

// Whether to remove a file from the page although its work is not saved, as the person answers
export function askBeforeRemoving(item) {
  const dialog = place('remove-dialog');
  place('remove-title').textContent = `Remove ${item.name} from the page?`;
  place('remove-reason').textContent = item.progress
    ? 'It is not finished, and the server would delete it.'
    : 'You have not downloaded what you see here, and it is kept nowhere else.';
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => (dialog.onclose = () => resolve(dialog.returnValue === 'remove')));
}
