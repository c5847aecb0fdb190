export function buildWasm(options?: { targets?: string[]; onlyIfOutdated?: boolean }): Promise<void>;
