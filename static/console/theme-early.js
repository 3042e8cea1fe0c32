// Classic and blocking on purpose: the chosen theme must hold before the first paint,
// for a screen that turns white at night blinds.
(() => {
  try {
    const theme = localStorage.getItem("leitstand.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; then the system's theme holds.
  }
})();
