/** The host's CSPRNG writes straight into linear memory. */
@external("env", "random")
export declare function hostRandom(at: usize, length: i32): i32;
