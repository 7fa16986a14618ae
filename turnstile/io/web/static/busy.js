// A pressed button says that it works, and its form is sent once. Without this, forms work all the same.
addEventListener("submit", event => {
  const form = event.target, button = event.submitter;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  if (!button) return;
  button.setAttribute("aria-busy", "true");
  const words = button.querySelector("span");
  if (button.dataset.busy && words) words.textContent = button.dataset.busy;
});

// Somebody who comes back to the page finds it as it is now.
addEventListener("pageshow", event => { if (event.persisted) location.reload(); });
