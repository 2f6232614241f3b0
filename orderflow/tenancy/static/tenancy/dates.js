// A date without a time is the same day in every time zone: no warning that the server's clock differs.
document.addEventListener("DOMContentLoaded", () => {
  const shortcuts = window.DateTimeShortcuts;
  if (!shortcuts) {
    return;
  }
  const warn = shortcuts.addTimezoneWarning;
  shortcuts.addTimezoneWarning = (input) => {
    if (!input.classList.contains("vDateField")) {
      warn(input);
    }
  };
});
