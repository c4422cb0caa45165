// The phone's own camera as a scanner. Codes are read here where the browser can, else in small grey pictures that are sent; either
// way the code goes into the field of the page and through its form, as if it had been typed.
const WIDTH = 640;
const QUALITY = .55;
const READ_MS = 120;
const SEND_MS = 350;
const REST_MS = 2500;
const ANSWER_MS = 3000;

const panel = document.getElementById("camera");
const form = document.getElementById("scan");
const button = document.getElementById("camera-on");
const words = (name) => { const line = panel.querySelector("[role=status]"); line.textContent = name ? panel.dataset[name] : ""; };
const native = async () => {
  const formats = (await window.BarcodeDetector?.getSupportedFormats?.().catch(() => [])) || [];
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : undefined;
};

let stream;
let timer;
let sending;
let last = { code: "", at: 0 };

const stop = () => {
  clearTimeout(timer);
  sending?.abort();
  for (const track of stream?.getTracks() || []) track.stop();
  stream = undefined;
  panel.hidden = true;
  button.hidden = false;
  form.elements.code.inputMode = "text";
};

const take = (code) => {
  const now = Date.now();
  // The same code before the lens is the same scan until it was gone for a while.
  const again = code === last.code && now - last.at < REST_MS;
  last = { code, at: now };
  if (again) return;
  navigator.vibrate?.(60);
  form.elements.code.value = code;
  form.requestSubmit(form.querySelector("button:not([formaction])"));
};

const picture = (video, canvas) => {
  canvas.width = Math.min(WIDTH, video.videoWidth);
  canvas.height = Math.round(canvas.width * video.videoHeight / video.videoWidth);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.filter = "grayscale(1)";
  pen.drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, "image/jpeg", QUALITY); });
};

// What the box office reads; nothing while it is busy.
const asked = async (video, canvas) => {
  const frame = await picture(video, canvas);
  if (!frame || frame.size > Number(panel.dataset.most)) return "";
  const body = new FormData();
  body.append("csrf", form.elements.csrf.value);
  body.append("frame", frame, "frame.jpg");
  sending = new AbortController();
  const late = setTimeout(() => sending.abort(), ANSWER_MS);
  try {
    const answer = await fetch(panel.dataset.frames, { method: "POST", body, signal: sending.signal });
    if (answer.status === 429) return "";
    if (!answer.ok) throw new Error(answer.status);
    words("looking");
    return (await answer.json()).code;
  } catch (error) {
    if (stream) words("away");
    return "";
  } finally {
    clearTimeout(late);
  }
};

const look = async (video, canvas, detector) => {
  if (!stream) return;
  let code = "";
  if (!document.hidden && video.videoWidth) {
    if (detector) code = (await detector.detect(video).catch(() => []))[0]?.rawValue || "";
    else code = await asked(video, canvas);
  }
  if (!stream) return;
  if (code) take(code);
  timer = setTimeout(look, detector ? READ_MS : SEND_MS, video, canvas, detector);
};

const torch = (track) => {
  const light = document.getElementById("camera-light");
  light.hidden = !track.getCapabilities?.().torch;
  light.setAttribute("aria-pressed", "false");
  light.onclick = async () => {
    const on = light.getAttribute("aria-pressed") !== "true";
    await track.applyConstraints({ advanced: [{ torch: on }] }).then(() => light.setAttribute("aria-pressed", String(on)), () => { light.hidden = true; });
  };
};

const start = async () => {
  const video = panel.querySelector("video");
  panel.hidden = false;
  button.hidden = true;
  words("starting");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
  } catch (error) {
    stop();
    const refusal = document.getElementById("camera-refused");
    refusal.hidden = false;
    refusal.textContent = error.name === "NotAllowedError" ? panel.dataset.denied : panel.dataset.none;
    return;
  }
  document.getElementById("camera-refused").hidden = true;
  video.srcObject = stream;
  // What the camera reads needs no keyboard on the screen.
  form.elements.code.inputMode = "none";
  await video.play().catch(() => {});
  torch(stream.getVideoTracks()[0]);
  words("looking");
  look(video, document.createElement("canvas"), await native());
};

if (panel && form && isSecureContext && navigator.mediaDevices?.getUserMedia) {
  button.hidden = false;
  button.addEventListener("click", start);
  document.getElementById("camera-off").addEventListener("click", stop);
  addEventListener("pagehide", stop);
}
