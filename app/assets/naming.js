// The box in which a name is typed, with the names that exist below it.
"use strict";

window.explorer.naming = (() => {
  const MOST = 7;
  const make = window.dash_clientside.gallery.element;
  const box = make("div", "namebox");
  const title = make("div", "namebox-title");
  const input = make("input", "");
  const list = make("ul", "");
  const hint = make("div", "namebox-hint", "Enter names · ↑ ↓ choose · Esc leaves");
  let target = null;
  let picked = -1;

  box.hidden = true;
  input.placeholder = "Subcategory, such as plastic bag";
  input.setAttribute("aria-label", "Subcategory");
  input.maxLength = 200;
  input.autocomplete = "off";
  input.spellcheck = false;
  box.append(title, input, list, hint);

  const matches = () => {
    const text = input.value.trim().toLowerCase();
    const found = window.explorer.page.names.filter(([name]) => name.toLowerCase().includes(text));
    const starts = ([name]) => (name.toLowerCase().startsWith(text) ? 0 : 1);
    return found.sort((a, b) => starts(a) - starts(b)).slice(0, MOST);
  };

  const show = () => {
    const rows = matches().map(([name, count], index) => {
      const row = make("li", index === picked ? "picked" : "");
      row.append(make("span", "", name), make("span", "note", count.toLocaleString()));
      row.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the box keeps the focus
        commit(name);
      });
      return row;
    });
    list.replaceChildren(...rows);
  };

  const close = () => {
    box.hidden = true;
    target = null;
  };

  const commit = (name) => {
    if (!name.trim() || !target) return;
    const done = target;
    close();
    window.explorer.decide({ action: "name", name: name.trim(), target: done });
    window.explorer.next();
  };

  input.addEventListener("input", () => {
    picked = -1;
    show();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the keys of the page rest while one types
    const found = matches();
    if (event.key === "Escape") close();
    else if (event.key === "Enter") commit(picked < 0 ? input.value : found[picked][0]);
    else if (event.key === "ArrowDown") picked = Math.min(picked + 1, found.length - 1);
    else if (event.key === "ArrowUp") picked = Math.max(picked - 1, -1);
    else return;
    event.preventDefault();
    show();
  });

  return {
    // `beside` is what the name is for: the box lies next to it and leaves the pictures free.
    open(what, words, beside) {
      document.body.append(box);
      target = what;
      picked = -1;
      title.textContent = `Name ${words}`;
      input.value = "";
      box.hidden = false;
      show();
      const place = beside && beside.getBoundingClientRect();
      const lowest = window.innerHeight - box.offsetHeight - 12;
      box.style.left = place ? `${Math.min(place.left, window.innerWidth - 412)}px` : "";
      box.style.top = place ? `${Math.max(64, Math.min(place.top - 20, lowest))}px` : "";
      input.focus();
    },
  };
})();
