// What the server tells the page: whether this is the demo, a token for each role, example tabs.
// A file of its own and not a script in the page, so that the page needs no inline script.

const PATH = `${import.meta.env.BASE_URL}settings.json`;

/** The settings, in full; otherwise an error whose message can be shown to a person. */
export async function loadSettings() {
  let response;
  try {
    response = await fetch(PATH, { cache: 'no-store', headers: { accept: 'application/json' } });
  } catch {
    throw new Error('The server does not answer. Is `registry serve` still running?');
  }
  if (!response.ok) {
    throw new Error(
      `The server did not hand out the playground's settings: ${PATH} answered ${response.status}.`,
    );
  }
  try {
    return complete(await response.json());
  } catch {
    throw new Error(`The playground's settings cannot be read: ${PATH} is not the JSON expected.`);
  }
}

function complete(settings) {
  if (settings === null || typeof settings !== 'object' || Array.isArray(settings)) {
    throw new TypeError('not an object');
  }
  const demo = settings.demo === true;
  return {
    demo,
    // Outside the demo nobody gets a token from a page, whatever the file says.
    tokens: demo ? list(settings.tokens).filter((it) => typeof it?.token === 'string') : [],
    tabs: list(settings.tabs)
      .filter((it) => typeof it?.query === 'string')
      .map((it) => ({ title: it.title ?? '', query: it.query, variables: text(it.variables) })),
  };
}

const list = (value) => (Array.isArray(value) ? value : []);

/** Variables are JSON in a string; an object will do as well. */
function text(variables) {
  if (variables === undefined || variables === null) return '';
  return typeof variables === 'string' ? variables : JSON.stringify(variables, null, 2);
}
