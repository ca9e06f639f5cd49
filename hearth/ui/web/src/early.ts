// Runs before anything is painted: the theme somebody chose, so that nothing flashes.
const chosen = localStorage.getItem("hearth.theme");
if (chosen) document.documentElement.dataset["theme"] = chosen;
