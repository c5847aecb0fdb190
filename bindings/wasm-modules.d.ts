/** A host that imports WebAssembly as a module hands out the compiled module. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** Made by the build for `wasm-source.inline.ts`: both builds of the core in hexadecimal. */
declare module "virtual:keyloom-wasm" {
  export const simd: string;
  export const scalar: string;
}
