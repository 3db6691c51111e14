// A list of slides with their thumbnails: a listbox that mouse and keys both reach.

export function render({ model, el }) {
  const list = document.createElement("div");
  list.className = "slides";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Slides");
  list.tabIndex = 0;

  const choose = (name) => { if (name !== undefined) model.value = name; };

  function row({ name, detail }) {
    const item = document.createElement("div");
    item.className = "slide";
    item.setAttribute("role", "option");
    item.dataset.name = name;
    const picture = document.createElement("span");
    picture.className = "picture";
    const words = document.createElement("span");
    words.className = "words";
    const title = document.createElement("span");
    title.className = "title";
    title.textContent = title.title = name;
    const small = document.createElement("span");
    small.className = "detail";
    small.textContent = detail;
    words.append(title, small);
    item.append(picture, words);
    item.addEventListener("click", () => choose(name));
    return item;
  }

  // Not scrollIntoView: that would scroll the drawer around the list as well.
  function reveal(item) {
    const [top, bottom] = [item.offsetTop, item.offsetTop + item.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  function mark() {
    for (const item of list.children) {
      const chosen = item.dataset.name === model.value;
      item.setAttribute("aria-selected", String(chosen));
      if (chosen) reveal(item);
    }
  }

  function paint() {
    for (const item of list.children) {
      const image = model.images[item.dataset.name];
      item.firstChild.style.backgroundImage = image ? `url("${image}")` : "";
    }
  }

  function build() {
    list.replaceChildren(...model.items.map(row));
    if (!model.items.length) list.textContent = "No slide of that name.";
    paint();
    mark();
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const names = model.items.map((item) => item.name);
    const next = names.indexOf(model.value) + step;
    choose(names[Math.min(names.length - 1, Math.max(0, next))]);
  });

  model.on("items", build);
  model.on("images", paint);
  model.on("value", mark);
  build();
  el.append(list);
}
