/**
 * Finds a Chromium that runs here: `KEYLOOM_CHROMIUM`, then an installed one, then the one from the
 * npm registry (`@sparticuz/chromium`), which needs neither root nor system packages.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const INSTALLED = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export interface Chromium {
  executablePath: string;
  /** Launch arguments. The package's own defaults are not used: they switch web security off. */
  args: string[];
}

/** @returns a browser that answered `--version`, or the reason why there is none. */
export async function findChromium(): Promise<Chromium | { missing: string }> {
  const reasons: string[] = [];
  const named = process.env["KEYLOOM_CHROMIUM"];
  for (const executablePath of named === undefined ? INSTALLED.filter(existsSync) : [named]) {
    const failure = whyNotRunning(executablePath);
    if (failure === null) return { executablePath, args: ["--no-sandbox"] };
    reasons.push(failure);
  }
  if (named !== undefined) return { missing: reasons.join("; ") };
  try {
    // Read while the package is imported: with it, it unpacks the shared libraries it needs.
    process.env["AWS_LAMBDA_JS_RUNTIME"] ??= "nodejs22.x";
    const { default: chromium } = await import("@sparticuz/chromium");
    const executablePath = await chromium.executablePath();
    const failure = whyNotRunning(executablePath);
    if (failure === null) return { executablePath, args: ["--no-sandbox"] };
    reasons.push(failure);
  } catch (error) {
    reasons.push(`@sparticuz/chromium: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { missing: reasons.join("; ") };
}

function whyNotRunning(executablePath: string): string | null {
  const result = spawnSync(executablePath, ["--no-sandbox", "--version"], {
    encoding: "utf8",
    timeout: 20_000,
  });
  if (result.status === 0) return null;
  const reason = result.error?.message ?? (result.stderr.trim().split("\n")[0] || `status ${result.status}`);
  return `${executablePath}: ${reason}`;
}
