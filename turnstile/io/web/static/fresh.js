// Keeps the parts of a page that bear data-fresh as the server has them now, and says when it cannot.

const EVERY_MS = 2000;
const parts = [...document.querySelectorAll("[data-fresh]")];
const notices = document.querySelector("#notices");
let trouble = null;

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) {
    if (answer?.redirected || answer?.status === 401) location.reload();
    say("No contact with the web node; trying again.");
    return;
  }
  say("");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const now = page.getElementById(part.id);
    if (now && now.innerHTML !== part.innerHTML && !part.contains(getSelection().anchorNode)) {
      part.replaceChildren(...now.childNodes);
    }
  }
}

function say(words) {
  if (words && !trouble) {
    trouble = document.createElement("p");
    trouble.className = "banner problem";
    trouble.textContent = words;
    notices.append(trouble);
  } else if (!words && trouble) {
    trouble.remove();
    trouble = null;
  }
}

async function keepFresh() {
  await refresh();
  setTimeout(keepFresh, EVERY_MS);
}
setTimeout(keepFresh, EVERY_MS);
