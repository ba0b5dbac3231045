// Loads the settings of the page: demo mode, a token for each role, and the example tabs. The server serves
// them as JSON because the content security policy forbids inline scripts.

const PATH = `${import.meta.env.BASE_URL}settings.json`;

/**
 * Returns the settings with all defaults filled in. Throws errors whose messages can be shown to the user.
 */
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
    return withDefaults(await response.json());
  } catch {
    throw new Error(`The playground's settings cannot be read: ${PATH} is not the JSON expected.`);
  }
}

function withDefaults(settings) {
  if (settings === null || typeof settings !== 'object' || Array.isArray(settings)) {
    throw new TypeError('not an object');
  }
  const demo = settings.demo === true;
  return {
    demo,
    // Outside the demo, ignore tokens even if the file has some.
    tokens: demo ? list(settings.tokens).filter((it) => typeof it?.token === 'string') : [],
    tabs: list(settings.tabs)
      .filter((it) => typeof it?.query === 'string')
      .map((it) => ({ title: it.title ?? '', query: it.query, variables: text(it.variables) })),
  };
}

const list = (value) => (Array.isArray(value) ? value : []);

/** Returns variables as text. The server sends JSON in a string; an object is accepted too. */
function text(variables) {
  if (variables === undefined || variables === null) return '';
  return typeof variables === 'string' ? variables : JSON.stringify(variables, null, 2);
}
