;; tiny-secp256k1 (libsecp256k1 in Rust): reads a private key and a hash, 32 bytes each, from standard input; prints the
;; public key, an ECDSA signature (RFC 6979) and a Schnorr signature (BIP 340), each in hexadecimal, whether they verify, and
;; the public key that is recovered from the signature.
;; Arguments and results are at fixed places, whose addresses are exported globals. The imports make random numbers, for
;; initializeContext (zero here: they blind a computation, but change no result), and errors.
(module
  (import "io" "input" (func $input (result i32)))
  (import "io" "hex" (func $hex (param i64 i32)))
  (import "io" "dec" (func $dec (param i32)))
  (import "io" "line" (func $line))
  (import "lib" "memory" (memory 1))
  (import "lib" "PRIVATE_INPUT" (global $private i32))
  (import "lib" "HASH_INPUT" (global $hash i32))
  (import "lib" "PUBLIC_KEY_INPUT" (global $public i32))
  (import "lib" "X_ONLY_PUBLIC_KEY_INPUT" (global $x_only i32))
  (import "lib" "SIGNATURE_INPUT" (global $signature i32))
  (import "lib" "initializeContext" (func $initialize))
  (import "lib" "pointFromScalar" (func $point (param i32) (result i32)))  ;; (size of a public key)
  (import "lib" "xOnlyPointFromScalar" (func $x_only_point (result i32)))
  (import "lib" "signRecoverable" (func $sign (param i32) (result i32)))  ;; (whether there is extra data) -> recovery id
  (import "lib" "verify" (func $verify (param i32 i32) (result i32)))
  (import "lib" "recover" (func $recover (param i32 i32) (result i32)))
  (import "lib" "signSchnorr" (func $sign_schnorr (param i32)))
  (import "lib" "verifySchnorr" (func $verify_schnorr (result i32)))

  (func (export "_start")
    (local $recovery i32)
    (call $initialize)
    (call $read (global.get $private))
    (call $read (global.get $hash))
    (if (i32.eqz (call $point (i32.const 33))) (then (unreachable)))
    (call $bytes (global.get $public) (i32.const 33))
    (local.set $recovery (call $sign (i32.const 0)))
    (call $bytes (global.get $signature) (i32.const 64))
    (call $dec (call $verify (i32.const 33) (i32.const 1)))
    (call $line)
    (memory.fill (global.get $public) (i32.const 0) (i32.const 65))
    (if (i32.eqz (call $recover (i32.const 33) (local.get $recovery))) (then (unreachable)))
    (call $bytes (global.get $public) (i32.const 33))
    (drop (call $x_only_point))
    (call $sign_schnorr (i32.const 0))
    (call $bytes (global.get $signature) (i32.const 64))
    (call $dec (call $verify_schnorr))
    (call $line))

  ;; reads 32 bytes to an address
  (func $read (param $at i32)
    (local $i i32)
    (loop $next
      (i32.store8 (i32.add (local.get $at) (local.get $i)) (call $input))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 32)))))

  (func $bytes (param $at i32) (param $size i32)
    (loop $next
      (call $hex (i64.load8_u (local.get $at)) (i32.const 2))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (local.tee $size (i32.sub (local.get $size) (i32.const 1)))))
    (call $line)))
