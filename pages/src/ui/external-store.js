// `useSyncExternalStore` is part of `preact/compat`, which would add the whole of React's interface to the bundle.

import { useEffect, useState } from 'preact/hooks';

/** Renders again whenever the snapshot of a store changes. */
export function useSyncExternalStore(subscribe, snapshot) {
  const [value, setValue] = useState(snapshot);
  useEffect(() => {
    const update = () => setValue(snapshot);
    update();
    return subscribe(update);
  }, [subscribe]);
  return value;
}
