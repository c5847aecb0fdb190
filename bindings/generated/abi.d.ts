declare namespace __AdaptedExports {
  /** assembly/index/stagingBase */
  export const stagingBase: {
    /** @type `usize` */
    get value(): number
  };
  /** assembly/index/slotCount */
  export const slotCount: {
    /** @type `i32` */
    get value(): number
  };
  /**
   * assembly/calls/digest/sha256
   * @param data `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function sha256(data: number, length: number, out: number): number;
  /**
   * assembly/calls/digest/sha512
   * @param data `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function sha512(data: number, length: number, out: number): number;
  /**
   * assembly/calls/digest/blake2b
   * @param data `usize`
   * @param length `i32`
   * @param key `usize`
   * @param keyLength `i32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function blake2b(data: number, length: number, key: number, keyLength: number, out: number, outLength: number): number;
  /**
   * assembly/calls/digest/hmacSha256
   * @param key `usize`
   * @param keyLength `i32`
   * @param data `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function hmacSha256(key: number, keyLength: number, data: number, length: number, out: number): number;
  /**
   * assembly/calls/digest/hmacSha512
   * @param key `usize`
   * @param keyLength `i32`
   * @param data `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function hmacSha512(key: number, keyLength: number, data: number, length: number, out: number): number;
  /**
   * assembly/calls/digest/merkleHashes
   * @param prefix `i32`
   * @param records `usize`
   * @param length `i32`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function merkleHashes(prefix: number, records: number, length: number, count: number, out: number): number;
  /**
   * assembly/calls/kdf/hkdfSha256
   * @param ikm `usize`
   * @param ikmLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param info `usize`
   * @param infoLength `i32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function hkdfSha256(ikm: number, ikmLength: number, salt: number, saltLength: number, info: number, infoLength: number, out: number, outLength: number): number;
  /**
   * assembly/calls/kdf/hkdfSha512
   * @param ikm `usize`
   * @param ikmLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param info `usize`
   * @param infoLength `i32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function hkdfSha512(ikm: number, ikmLength: number, salt: number, saltLength: number, info: number, infoLength: number, out: number, outLength: number): number;
  /**
   * assembly/calls/kdf/hkdfExpandSha256Batch
   * @param prk `usize`
   * @param prkLength `i32`
   * @param infos `usize`
   * @param infoLength `i32`
   * @param count `i32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function hkdfExpandSha256Batch(prk: number, prkLength: number, infos: number, infoLength: number, count: number, out: number, outLength: number): number;
  /**
   * assembly/calls/kdf/pbkdf2Sha256
   * @param password `usize`
   * @param passwordLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param iterations `u32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function pbkdf2Sha256(password: number, passwordLength: number, salt: number, saltLength: number, iterations: number, out: number, outLength: number): number;
  /**
   * assembly/calls/kdf/pbkdf2Batch
   * @param wide `i32`
   * @param passwords `usize`
   * @param passwordLengths `usize`
   * @param salts `usize`
   * @param saltLengths `usize`
   * @param count `i32`
   * @param iterations `u32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function pbkdf2Batch(wide: number, passwords: number, passwordLengths: number, salts: number, saltLengths: number, count: number, iterations: number, out: number, outLength: number): number;
  /**
   * assembly/calls/kdf/kbkdfCounterHmacSha256
   * @param key `usize`
   * @param keyLength `i32`
   * @param fixed `usize`
   * @param fixedLength `i32`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function kbkdfCounterHmacSha256(key: number, keyLength: number, fixed: number, fixedLength: number, out: number, outLength: number): number;
  /**
   * assembly/calls/memory-hard/argon2id
   * @param password `usize`
   * @param passwordLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param secret `usize`
   * @param secretLength `i32`
   * @param associated `usize`
   * @param associatedLength `i32`
   * @param memoryKiB `u32`
   * @param passes `u32`
   * @param lanes `u32`
   * @param blocks `usize`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function argon2id(password: number, passwordLength: number, salt: number, saltLength: number, secret: number, secretLength: number, associated: number, associatedLength: number, memoryKiB: number, passes: number, lanes: number, blocks: number, out: number, outLength: number): number;
  /**
   * assembly/calls/memory-hard/scrypt
   * @param password `usize`
   * @param passwordLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param n `u32`
   * @param r `u32`
   * @param p `u32`
   * @param work `usize`
   * @param out `usize`
   * @param outLength `i32`
   * @returns `i32`
   */
  export function scrypt(password: number, passwordLength: number, salt: number, saltLength: number, n: number, r: number, p: number, work: number, out: number, outLength: number): number;
  /**
   * assembly/calls/aead/aeadSealOne
   * @param variant `i32`
   * @param key `usize`
   * @param nonce `usize`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param plaintext `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function aeadSealOne(variant: number, key: number, nonce: number, aad: number, aadLength: number, plaintext: number, length: number, out: number): number;
  /**
   * assembly/calls/aead/aeadOpenOne
   * @param variant `i32`
   * @param key `usize`
   * @param nonce `usize`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param sealed `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function aeadOpenOne(variant: number, key: number, nonce: number, aad: number, aadLength: number, sealed: number, length: number, out: number): number;
  /**
   * assembly/calls/aead/aeadSealMany
   * @param variant `i32`
   * @param key `usize`
   * @param nonces `usize`
   * @param aads `usize`
   * @param aadLength `i32`
   * @param plaintexts `usize`
   * @param length `i32`
   * @param out `usize`
   * @param count `i32`
   * @returns `i32`
   */
  export function aeadSealMany(variant: number, key: number, nonces: number, aads: number, aadLength: number, plaintexts: number, length: number, out: number, count: number): number;
  /**
   * assembly/calls/aead/aeadOpenMany
   * @param variant `i32`
   * @param key `usize`
   * @param nonces `usize`
   * @param aads `usize`
   * @param aadLength `i32`
   * @param sealed `usize`
   * @param length `i32`
   * @param out `usize`
   * @param count `i32`
   * @returns `i32`
   */
  export function aeadOpenMany(variant: number, key: number, nonces: number, aads: number, aadLength: number, sealed: number, length: number, out: number, count: number): number;
  /**
   * assembly/calls/aes-kw/aesKwWrapMany
   * @param kek `usize`
   * @param kekLength `i32`
   * @param keys `usize`
   * @param length `i32`
   * @param out `usize`
   * @param count `i32`
   * @returns `i32`
   */
  export function aesKwWrapMany(kek: number, kekLength: number, keys: number, length: number, out: number, count: number): number;
  /**
   * assembly/calls/aes-kw/aesKwUnwrapMany
   * @param kek `usize`
   * @param kekLength `i32`
   * @param wrapped `usize`
   * @param length `i32`
   * @param out `usize`
   * @param count `i32`
   * @returns `i32`
   */
  export function aesKwUnwrapMany(kek: number, kekLength: number, wrapped: number, length: number, out: number, count: number): number;
  /**
   * assembly/calls/aes-kw/aesKwpWrap
   * @param kek `usize`
   * @param kekLength `i32`
   * @param key `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function aesKwpWrap(kek: number, kekLength: number, key: number, length: number, out: number): number;
  /**
   * assembly/calls/aes-kw/aesKwpUnwrap
   * @param kek `usize`
   * @param kekLength `i32`
   * @param wrapped `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function aesKwpUnwrap(kek: number, kekLength: number, wrapped: number, length: number, out: number): number;
  /**
   * assembly/calls/curve/x25519PublicKey
   * @param scalar `usize`
   * @param out `usize`
   * @returns `i32`
   */
  export function x25519PublicKey(scalar: number, out: number): number;
  /**
   * assembly/calls/curve/x25519SharedSecret
   * @param scalar `usize`
   * @param publicKey `usize`
   * @param out `usize`
   * @returns `i32`
   */
  export function x25519SharedSecret(scalar: number, publicKey: number, out: number): number;
  /**
   * assembly/calls/curve/ed25519PublicKey
   * @param seed `usize`
   * @param out `usize`
   * @returns `i32`
   */
  export function ed25519PublicKey(seed: number, out: number): number;
  /**
   * assembly/calls/curve/ed25519Sign
   * @param seed `usize`
   * @param message `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function ed25519Sign(seed: number, message: number, length: number, out: number): number;
  /**
   * assembly/calls/curve/ed25519Verify
   * @param keys `usize`
   * @param messages `usize`
   * @param lengths `usize`
   * @param signatures `usize`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function ed25519Verify(keys: number, messages: number, lengths: number, signatures: number, count: number, out: number): number;
  /**
   * assembly/calls/vault-keys/vaultGenerate
   * @param algorithm `u32`
   * @param flags `u32`
   * @param usages `u32`
   * @param id `usize`
   * @param version `u32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultGenerate(algorithm: number, flags: number, usages: number, id: number, version: number, end: number): number;
  /**
   * assembly/calls/vault-keys/vaultImport
   * @param algorithm `u32`
   * @param flags `u32`
   * @param usages `u32`
   * @param id `usize`
   * @param version `u32`
   * @param material `usize`
   * @param length `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultImport(algorithm: number, flags: number, usages: number, id: number, version: number, material: number, length: number, end: number): number;
  /**
   * assembly/calls/vault-keys/vaultFromPassword
   * @param algorithm `u32`
   * @param flags `u32`
   * @param usages `u32`
   * @param id `usize`
   * @param version `u32`
   * @param password `usize`
   * @param passwordLength `i32`
   * @param salt `usize`
   * @param saltLength `i32`
   * @param iterations `u32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultFromPassword(algorithm: number, flags: number, usages: number, id: number, version: number, password: number, passwordLength: number, salt: number, saltLength: number, iterations: number, end: number): number;
  /**
   * assembly/calls/vault-keys/vaultDispose
   * @param handle `u32`
   * @returns `i32`
   */
  export function vaultDispose(handle: number): number;
  /**
   * assembly/calls/vault-keys/vaultDisposeAll
   */
  export function vaultDisposeAll(): void;
  /**
   * assembly/calls/vault-keys/vaultLiveCount
   * @returns `i32`
   */
  export function vaultLiveCount(): number;
  /**
   * assembly/calls/vault-keys/vaultLength
   * @param handle `u32`
   * @returns `i32`
   */
  export function vaultLength(handle: number): number;
  /**
   * assembly/calls/vault-keys/vaultExport
   * @param handle `u32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultExport(handle: number, out: number): number;
  /**
   * assembly/calls/vault-wrap/vaultOverhead
   * @param kek `u32`
   * @returns `i32`
   */
  export function vaultOverhead(kek: number): number;
  /**
   * assembly/calls/vault-wrap/vaultGenerateAndWrap
   * @param kek `u32`
   * @param attributes `usize`
   * @param count `i32`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultGenerateAndWrap(kek: number, attributes: number, count: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-wrap/vaultWrap
   * @param kek `u32`
   * @param handles `usize`
   * @param count `i32`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultWrap(kek: number, handles: number, count: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-wrap/vaultUnwrap
   * @param kek `u32`
   * @param attributes `usize`
   * @param wrapped `usize`
   * @param length `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultUnwrap(kek: number, attributes: number, wrapped: number, length: number, end: number): number;
  /**
   * assembly/calls/vault-wrap/vaultOpenCheck
   * @param kek `u32`
   * @param attributes `usize`
   * @param wrapped `usize`
   * @param count `i32`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultOpenCheck(kek: number, attributes: number, wrapped: number, count: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-wrap/vaultRewrap
   * @param oldKek `u32`
   * @param newKek `u32`
   * @param attributes `usize`
   * @param wrapped `usize`
   * @param count `i32`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultRewrap(oldKek: number, newKek: number, attributes: number, wrapped: number, count: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-wrap/vaultDerive
   * @param parent `u32`
   * @param attributes `usize`
   * @param info `usize`
   * @param infoLength `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultDerive(parent: number, attributes: number, info: number, infoLength: number, end: number): number;
  /**
   * assembly/calls/vault-wrap/vaultDeriveAndWrap
   * @param parent `u32`
   * @param kek `u32`
   * @param attributes `usize`
   * @param infos `usize`
   * @param infoLength `i32`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultDeriveAndWrap(parent: number, kek: number, attributes: number, infos: number, infoLength: number, count: number, out: number): number;
  /**
   * assembly/calls/vault-use/vaultSeal
   * @param handle `u32`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param plaintext `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultSeal(handle: number, aad: number, aadLength: number, plaintext: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-use/vaultOpen
   * @param handle `u32`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param sealed `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultOpen(handle: number, aad: number, aadLength: number, sealed: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-use/vaultMac
   * @param handle `u32`
   * @param data `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultMac(handle: number, data: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-use/vaultMacVerify
   * @param handle `u32`
   * @param data `usize`
   * @param length `i32`
   * @param expected `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultMacVerify(handle: number, data: number, length: number, expected: number, end: number): number;
  /**
   * assembly/calls/vault-use/vaultMacBatch
   * @param handle `u32`
   * @param messages `usize`
   * @param lengths `usize`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultMacBatch(handle: number, messages: number, lengths: number, count: number, out: number): number;
  /**
   * assembly/calls/vault-records/vaultRecordSeal
   * @param handle `u32`
   * @param prefix `usize`
   * @param messages `usize`
   * @param lengths `usize`
   * @param count `i32`
   * @param digests `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultRecordSeal(handle: number, prefix: number, messages: number, lengths: number, count: number, digests: number, out: number): number;
  /**
   * assembly/calls/vault-records/vaultRecordCheck
   * @param handle `u32`
   * @param prefix `usize`
   * @param messages `usize`
   * @param lengths `usize`
   * @param macs `usize`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultRecordCheck(handle: number, prefix: number, messages: number, lengths: number, macs: number, count: number, out: number): number;
  /**
   * assembly/calls/vault-records/vaultRecordSealRows
   * @param handle `u32`
   * @param prefix `usize`
   * @param stride `i32`
   * @param count `i32`
   * @param digests `i32`
   * @param rows `usize`
   * @returns `i32`
   */
  export function vaultRecordSealRows(handle: number, prefix: number, stride: number, count: number, digests: number, rows: number): number;
  /**
   * assembly/calls/vault-records/vaultRecordCheckRows
   * @param handle `u32`
   * @param prefix `usize`
   * @param rows `usize`
   * @param stride `i32`
   * @param count `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultRecordCheckRows(handle: number, prefix: number, rows: number, stride: number, count: number, out: number): number;
  /**
   * assembly/calls/vault-records/vaultMoveRows
   * @param mac `u32`
   * @param oldKek `u32`
   * @param newKek `u32`
   * @param prefix `usize`
   * @param stride `i32`
   * @param count `i32`
   * @param rows `usize`
   * @returns `i32`
   */
  export function vaultMoveRows(mac: number, oldKek: number, newKek: number, prefix: number, stride: number, count: number, rows: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeWrap
   * @param handle `u32`
   * @param fileKey `u32`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeWrap(handle: number, fileKey: number, aad: number, aadLength: number, out: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeUnwrap
   * @param handle `u32`
   * @param aad `usize`
   * @param aadLength `i32`
   * @param body `usize`
   * @param length `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgeUnwrap(handle: number, aad: number, aadLength: number, body: number, length: number, end: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeScryptWrap
   * @param key `u32`
   * @param fileKey `u32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeScryptWrap(key: number, fileKey: number, out: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeScryptUnwrap
   * @param key `u32`
   * @param body `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgeScryptUnwrap(key: number, body: number, end: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeHeaderMac
   * @param fileKey `u32`
   * @param header `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeHeaderMac(fileKey: number, header: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeHeaderMacVerify
   * @param fileKey `u32`
   * @param header `usize`
   * @param length `i32`
   * @param expected `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgeHeaderMacVerify(fileKey: number, header: number, length: number, expected: number, end: number): number;
  /**
   * assembly/calls/vault-age/vaultAgePayloadKey
   * @param fileKey `u32`
   * @param nonce `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgePayloadKey(fileKey: number, nonce: number, end: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeChunkSeal
   * @param payload `u32`
   * @param counterHigh `u32`
   * @param counterLow `u32`
   * @param last `u32`
   * @param chunk `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeChunkSeal(payload: number, counterHigh: number, counterLow: number, last: number, chunk: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-age/vaultAgeChunkOpen
   * @param payload `u32`
   * @param counterHigh `u32`
   * @param counterLow `u32`
   * @param last `u32`
   * @param sealed `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeChunkOpen(payload: number, counterHigh: number, counterLow: number, last: number, sealed: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-curve/vaultPublicKey
   * @param handle `u32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultPublicKey(handle: number, out: number): number;
  /**
   * assembly/calls/vault-curve/vaultSign
   * @param handle `u32`
   * @param message `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultSign(handle: number, message: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-curve/vaultVerify
   * @param handle `u32`
   * @param message `usize`
   * @param length `i32`
   * @param signature `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultVerify(handle: number, message: number, length: number, signature: number, end: number): number;
  /**
   * assembly/calls/vault-curve/vaultAgree
   * @param handle `u32`
   * @param peer `usize`
   * @param attributes `usize`
   * @param info `usize`
   * @param infoLength `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgree(handle: number, peer: number, attributes: number, info: number, infoLength: number, end: number): number;
  /**
   * assembly/calls/vault-curve/vaultAgeX25519Wrap
   * @param fileKey `u32`
   * @param recipient `usize`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultAgeX25519Wrap(fileKey: number, recipient: number, out: number): number;
  /**
   * assembly/calls/vault-curve/vaultAgeX25519Unwrap
   * @param handle `u32`
   * @param share `usize`
   * @param body `usize`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultAgeX25519Unwrap(handle: number, share: number, body: number, end: number): number;
  /**
   * assembly/calls/vault-transfer/vaultSealTo
   * @param handle `u32`
   * @param recipient `usize`
   * @param length `i32`
   * @param out `usize`
   * @returns `i32`
   */
  export function vaultSealTo(handle: number, recipient: number, length: number, out: number): number;
  /**
   * assembly/calls/vault-transfer/vaultOpenFrom
   * @param pair `u32`
   * @param sealed `usize`
   * @param length `i32`
   * @param end `usize`
   * @returns `i32`
   */
  export function vaultOpenFrom(pair: number, sealed: number, length: number, end: number): number;
}
/** Instantiates the compiled WebAssembly module with the given imports. */
export declare function instantiate(module: WebAssembly.Module, imports: {
  env: unknown,
}): Promise<typeof __AdaptedExports>;
