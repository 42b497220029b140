// The box in which one types a name or chooses a cluster, with what exists below it.
"use strict";

window.explorer.box = (() => {
  const { element, picture, say } = window.explorer;
  const MOST = 7;
  const box = element("div", "askbox");
  const title = element("div", "askbox-title");
  const input = element("input");
  const list = element("ul");
  const hint = element("div", "askbox-hint");
  let asked = null; // what, and what to do with the answer
  let options = null; // what there is to choose from; null until it has come
  let entered = false; // Enter was pressed before it came
  let picked = -1;

  box.hidden = true;
  box.setAttribute("role", "dialog");
  input.maxLength = 200;
  input.autocomplete = "off";
  input.spellcheck = false;
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-expanded", "true");
  input.setAttribute("aria-controls", "askbox-list");
  list.id = "askbox-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "what there is");
  box.append(title, input, list, hint);

  const matches = () => {
    const text = input.value.trim().toLowerCase();
    const found = (options || []).filter((option) => option.text.toLowerCase().includes(text));
    const starts = (option) => (option.text.toLowerCase().startsWith(text) ? 0 : 1);
    return found.sort((a, b) => starts(a) - starts(b)).slice(0, MOST);
  };

  const show = () => {
    const rows = matches().map((option, index) => {
      const row = element("li", index === picked ? "picked" : "");
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", index === picked);
      const pictures = element("span", "askbox-pictures");
      (option.crops || []).forEach((crop) => {
        const image = element("img");
        image.alt = "";
        image.src = picture(asked.crops_run, crop, "crop", 96);
        pictures.append(image);
      });
      row.append(pictures, element("span", "askbox-text", option.text), element("span", "note", option.note));
      row.addEventListener("mousedown", (event) => {
        event.preventDefault(); // the box keeps the focus
        commit(option);
      });
      return row;
    });
    list.replaceChildren(...rows);
  };

  const close = () => {
    if (!asked) return;
    asked = null;
    input.blur(); // now: a box that is hidden loses the focus later, when the next may be open
    box.hidden = true;
  };

  const commit = (option) => {
    entered = !asked.free && options === null;
    const typed = input.value.trim();
    const answer = option ? option.value : asked.free && typed;
    if (!answer) return;
    const { done } = asked;
    close();
    done(answer);
  };

  input.addEventListener("input", () => {
    if (!asked) return;
    picked = asked.free ? -1 : 0;
    entered = false;
    show();
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the keys of the page rest while one types
    const found = matches();
    if (event.key === "Escape") close();
    else if (event.key === "Enter") commit(found[picked]);
    else if (event.key === "ArrowDown") picked = Math.min(picked + 1, found.length - 1);
    else if (event.key === "ArrowUp") picked = Math.max(picked - 1, -1);
    else return;
    event.preventDefault();
    if (asked) show();
  });

  return {
    // `what`: title, label, placeholder, free (whether a new text is an answer), crops_run, options
    // (a promise of rows: text, value, note, crops), beside (what the box lies next to), done.
    open(what) {
      if (!box.isConnected) document.body.append(box);
      asked = what;
      options = null;
      entered = false;
      picked = what.free ? -1 : 0;
      title.textContent = what.title;
      box.setAttribute("aria-label", what.title);
      input.setAttribute("aria-label", what.label);
      input.placeholder = what.placeholder;
      hint.textContent = `Enter ${what.free ? "names" : "chooses"} · ↑ ↓ choose · Esc leaves`;
      input.value = "";
      box.hidden = false;
      what.options.then((found) => {
        if (asked !== what) return;
        options = found;
        if (entered) commit(matches()[picked]);
        if (asked) show();
      }).catch((error) => say(`What there is to choose from could not be read: ${error.message}`, true));
      show();
      const place = what.beside && what.beside.getBoundingClientRect();
      box.style.left = place ? `${Math.min(place.left, window.innerWidth - 432)}px` : "";
      box.style.top = place ? `${Math.max(64, Math.min(place.top - 20, window.innerHeight - 420))}px` : "";
      input.focus();
    },
  };
})();
