// Follows a guided enrolment: the part of the page that changes is fetched twice a second.
const walking = document.getElementById("walking");

async function follow() {
  try {
    const answer = await fetch(walking.dataset.state);
    if (answer.ok) {
      const before = walking.querySelector(".guidance")?.textContent;
      const fresh = document.createElement("template");
      fresh.innerHTML = await answer.text();
      const status = walking.querySelector(".guidance");
      const words = fresh.content.querySelector(".guidance");
      const ended = fresh.content.querySelector("[data-ended]");
      // The live region stays the same element, so that a screen reader says what changed.
      if (status && words) {
        if (before !== words.textContent) status.textContent = words.textContent;
        words.replaceWith(status);
      }
      walking.replaceChildren(fresh.content);
      if (ended) return;
    } else if (answer.status === 404 || answer.status === 401) {
      location.reload();
      return;
    }
  } catch { /* the server is away; the next try tells */ }
  setTimeout(follow, 500);
}

if (walking && !("ended" in walking.dataset)) follow();
