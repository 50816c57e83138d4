// The playground's tab: presses buttons at the server, and shows the pieces of the page that come back as they come.
"use strict";

(() => {
  const MOST_SCENES = 40;
  const POLL_MILLISECONDS = 5000;

  const { play, token } = document.body.dataset;
  const element = (id) => document.getElementById(id);
  const buttons = [...document.querySelectorAll("[data-act]")];
  let state = null;
  let seen = 0;
  let source = null;
  let timer = null;

  function show(piece) {
    const holder = document.createElement("template");
    holder.innerHTML = piece.html;
    const fresh = holder.content.firstElementChild;
    const old = element(piece.id);
    if (old) {
      keepOpen(old, fresh);
      old.replaceWith(fresh);
    } else if (piece.into === "scenes") {
      element("scenes").prepend(fresh);
      while (element("scenes").querySelectorAll(".scene").length > MOST_SCENES) {
        [...element("scenes").querySelectorAll(".scene")].pop().remove();
      }
    } else {
      element(piece.into)?.append(fresh);
    }
  }

  // A step that comes again, with the next poll, stays open and keeps the keyboard's place.
  function keepOpen(old, fresh) {
    const [before, after] = [old.querySelector("details"), fresh.querySelector("details")];
    if (before?.open && after) after.open = true;
    if (old.contains(document.activeElement)) {
      requestAnimationFrame(() => fresh.querySelector("summary")?.focus());
    }
  }

  function tell(next) {
    state = next;
    for (const button of buttons) {
      const act = button.dataset.act;
      button.setAttribute("aria-disabled", String(!state.can[act]));
      button.classList.toggle("next", state.next === act);
    }
    for (const [gone, here] of [["break", "mend"], ["mend", "break"]]) {
      const [old, other] = [gone, here].map((act) => buttons.find((each) => each.dataset.act === act));
      other.hidden = !state.can[here];
      if (other.hidden) continue;
      if (document.activeElement === old) other.focus();
      old.hidden = true;
    }
    element("status").textContent = state.status;
    element("latest").textContent = state.latest;
    element("latest").hidden = !state.latest;
    element("status").classList.toggle("broken", state.broken);
    for (const id of ["sign-in", "demo", "auto-label"]) {
      if (element(id)) element(id).hidden = !state.pending;
    }
    element("holds").replaceChildren(...state.holds.flatMap(([name, value]) => [named("dt", name), named("dd", value)]));
    schedule();
  }

  function named(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function schedule() {
    clearTimeout(timer);
    if (state?.pending && element("auto").checked) {
      timer = setTimeout(() => press("poll"), POLL_MILLISECONDS);
    }
  }

  async function press(act) {
    clearTimeout(timer);
    const button = buttons.find((each) => each.dataset.act === act);
    button?.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`/play/${play}/${act}`, {
        method: "POST",
        headers: { "X-Playground-Token": token },
      });
      // 409: it made sense when it was pressed; what came in between is on its way here.
      problem(response.ok || response.status === 409 ? "" : await response.text());
    } catch {
      problem("The server does not answer. Is it still running?");
    } finally {
      button?.removeAttribute("aria-busy");
      schedule();
    }
  }

  function problem(text) {
    element("problem").hidden = !text;
    element("problem").textContent = text;
  }

  // A tab that nobody sees holds no connection: browsers give one server only six.
  function listen() {
    if (document.hidden || source) return;
    source = new EventSource(`/play/${play}/events?after=${seen}`);
    source.addEventListener("open", () => problem(""));
    source.addEventListener("piece", (event) => {
      seen = Number(event.lastEventId);
      show(JSON.parse(event.data));
    });
    source.addEventListener("state", (event) => {
      seen = Number(event.lastEventId);
      tell(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      const over = source.readyState === EventSource.CLOSED;
      problem(over ? "This play is over. Load the page again to begin anew." : "The connection is lost; trying again.");
    });
  }

  function rest() {
    if (!document.hidden) return listen();
    source?.close();
    source = null;
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true" && !button.hasAttribute("aria-busy")) press(button.dataset.act);
    });
  }
  element("auto").addEventListener("change", schedule);
  document.addEventListener("visibilitychange", rest);
  listen();
})();
