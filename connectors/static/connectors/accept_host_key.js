// Of a server that is not saved yet: the key goes into the form, to be saved with it, and the test runs again.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-host-key]");
  if (!button) {
    return;
  }
  const field = document.getElementById("id_config_host_key");
  const keep = document.querySelector("#connection-test input[name=keep]");
  const before = keep && keep.checked && field.value.trim() ? `${field.value.trim()}\n` : "";
  field.value = before + button.dataset.hostKey;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  document.getElementById("test-connection").click();
});
