// Work beside the page: in a Worker, or, where a host forbids one, in the page itself.

const TEXT = `let ready;
onmessage = ({ data }) => {
  ready ??= import(data.address).then((module) => module.serve());
  ready.then((answer) => postMessage({ id: data.id, answer: answer(data.message) }))
    .catch((error) => postMessage({ id: data.id, error: String(error) }));
};`;

/**
 * `ask(message)` promises the answer of the session that `serve` starts; answers come in the
 * order of the messages. `address` is that of serve's own module, a data: URL, which a Worker made
 * from a Blob can import, from disk too. If it cannot start, all is asked again in the page.
 */
export function workplace({ address, serve }) {
  const waiting = new Map();
  let id = 0, worker = null, here = null, spoken = false;

  const in_page = () => {
    worker?.terminate();
    worker = null;
    here = serve();
    for (const [key, { message }] of [...waiting]) post(key, message);
  };
  const settle = (key, { answer, error }) => {
    const { yes, no } = waiting.get(key) ?? {};
    waiting.delete(key);
    if (error) no?.(new Error(error));
    else yes?.(answer);
  };
  const post = (key, message) => {
    if (worker) worker.postMessage({ id: key, message, address });
    else setTimeout(() => { if (waiting.has(key)) settle(key, { answer: here(message) }); });
  };

  const home = URL.createObjectURL(new Blob([TEXT], { type: "text/javascript" }));
  try {
    worker = new Worker(home);
    worker.onmessage = ({ data }) => {
      if (data.error && !spoken) { in_page(); return; }
      spoken = true;
      settle(data.id, data);
    };
    worker.onerror = (event) => { event.preventDefault(); if (!spoken) in_page(); };
  } catch { // a host whose rules allow no Worker: the work goes on in the page
    in_page();
  }
  return {
    ask: (message) => new Promise((yes, no) => {
      waiting.set(++id, { message, yes, no });
      post(id, message);
    }),
    beside: () => worker !== null,
    end() {
      worker?.terminate();
      waiting.clear();
      URL.revokeObjectURL(home);
    },
  };
}
