;; WASI preview 1 as a WebAssembly module: it is linked into each program that imports `wasi_snapshot_preview1`.
;;
;; The host of this module has no system calls, only bytes: what a program can read (arguments, environment,
;; standard input, an archive of files) and what it prints are memories, and their lengths are globals. The calls
;; behave as in wasmtime, on a tree of files that is read-only. They differ from wasmtime where that would trap:
;; an address out of bounds gives FAULT, and an argument that its type does not allow gives INVAL.
;;
;; Contents: what is imported; constants; the memory of this module; helpers; arguments and environment; clocks;
;; random numbers; the process; descriptors; streams and files; directories; paths; polling; sockets; the tree,
;; which is an archive (`tar`) with an index that is made at first use.
;;
;; Every access to the memory of the program is preceded by `$inside` (or goes through `$answer32` or `$answer64`).
;; The memories of the host are not checked: a byte that is not there is 0. Bytes are moved by `memory.copy`, and
;; names are compared and hashed eight bytes at a time, since a loop over bytes is slow on this host.

(module
  ;; ---------------------------------------------------------------- What is imported

  (import "app" "memory" (memory $app 0))
  ;; Arguments, environment, files and standard input, one behind the other. Arguments and variables of the environment
  ;; end in a zero byte each.
  (import "host" "input" (memory $input 0))
  (import "host" "stdout" (memory $stdout 0))
  (import "host" "stderr" (memory $stderr 0))
  ;; Where each of them ends, which is where the next one begins. Standard input ends where what has arrived of it ends:
  ;; reading this waits until there is at least one byte after `stdin.position` or the input has ended.
  (import "host" "argv.end" (global $argv.end (mut i32)))
  (import "host" "environ.end" (global $environ.end (mut i32)))
  (import "host" "files.end" (global $files.end (mut i32)))
  (import "host" "stdin.end" (global $stdin.end (mut i32)))
  ;; Where the standard input begins that has not been read.
  (import "host" "stdin.position" (global $stdin.position (mut i32)))
  (import "host" "stdout.length" (global $stdout.length (mut i32)))
  (import "host" "stderr.length" (global $stderr.length (mut i32)))
  (import "host" "stdout.limit" (global $stdout.limit i32))
  (import "host" "stderr.limit" (global $stderr.limit i32))
  ;; Bits 0, 1 and 2: whether standard input, output and error are terminals.
  (import "host" "terminals" (global $terminals (mut i32)))
  ;; Nanoseconds since 1970 when the program began.
  (import "host" "clock" (global $clock (mut i64)))
  (import "host" "seed" (global $seed (mut i64)))
  ;; Neither returns.
  (import "host" "exit" (func $exit (param $status i32)))
  (import "host" "output_limit" (func $output_limit))

  ;; ---------------------------------------------------------------- Constants

  ;; Errors.
  (global $SUCCESS i32 (i32.const 0))
  (global $BADF i32 (i32.const 8))
  (global $EXIST i32 (i32.const 20))
  (global $FAULT i32 (i32.const 21))
  (global $ILSEQ i32 (i32.const 25))
  (global $INTR i32 (i32.const 27))
  (global $INVAL i32 (i32.const 28))
  (global $ISDIR i32 (i32.const 31))
  (global $LOOP i32 (i32.const 32))
  (global $NAMETOOLONG i32 (i32.const 37))
  (global $NFILE i32 (i32.const 41))
  (global $NOENT i32 (i32.const 44))
  (global $NOMEM i32 (i32.const 48))
  (global $NOSYS i32 (i32.const 52))
  (global $NOTDIR i32 (i32.const 54))
  (global $NOTSUP i32 (i32.const 58))
  (global $PERM i32 (i32.const 63))
  (global $ROFS i32 (i32.const 69))
  (global $SPIPE i32 (i32.const 70))

  ;; Types of files, as a program sees them.
  (global $CHARACTER_DEVICE i32 (i32.const 2))
  (global $DIRECTORY i32 (i32.const 3))
  (global $REGULAR i32 (i32.const 4))
  (global $SYMLINK i32 (i32.const 7))

  ;; What a descriptor is; 0 is closed. These are in an order: streams, then what is in the tree.
  (global $STDIN i32 (i32.const 1))
  (global $STDOUT i32 (i32.const 2))
  (global $STDERR i32 (i32.const 3))
  (global $FILE i32 (i32.const 4))
  (global $OPENED i32 (i32.const 5)) ;; a directory that the program opened
  (global $PREOPENED i32 (i32.const 6)) ;; a directory that is open from the beginning

  ;; Flags of open files: APPEND, DSYNC, NONBLOCK, RSYNC, SYNC, from bit 0 on.
  (global $APPEND i32 (i32.const 1))
  (global $ANY_SYNC i32 (i32.const 26))
  (global $FLAGS_MOST i32 (i32.const 31))

  ;; Flags of path_open: CREAT, DIRECTORY, EXCL, TRUNC, from bit 0 on.
  (global $CREAT i32 (i32.const 1))
  (global $CREAT_EXCL i32 (i32.const 5))
  (global $CREAT_EXCL_TRUNC i32 (i32.const 13))
  (global $OPEN_DIRECTORY i32 (i32.const 2))
  (global $TRUNC i32 (i32.const 8))
  (global $HOW_MOST i32 (i32.const 15))

  ;; No call moves more bytes from standard input, or by fd_pread, than this. It is wasmtime's limit.
  (global $MOST_READ i32 (i32.const 65536))
  ;; How much later the clock is after each look at it, in nanoseconds.
  (global $TICK i64 (i64.const 1000))

  ;; ---------------------------------------------------------------- The memory of this module

  ;; Addresses below 262,144 are fixed, and no address in use is 0:
  ;;
  ;;     64  WORK         a few words
  ;;    128  NAME         a component of a path: up to 255 bytes, then at least 8 zeros
  ;;    512  TEXT         the path of an entry of the archive: up to 4,095 bytes, then zeros
  ;;   5120  PREFIX       the path of the directory of the entry before
  ;;  10240  DESCRIPTORS  1,024 of them, 32 bytes each:
  ;;            +0 kind; +4 inode; +8 position (i64), or in a directory the cookie and the entry at which the last
  ;;            fd_readdir stopped (i32 each); +16 flags
  ;;  94208  PATH         a path that is being resolved. It ends at the end of this area, before 8 zeros, so that
  ;;                      the target of a symbolic link is put before the rest of it. 41 paths of 4,095 bytes fit.
  ;; 262144               the index of the tree, see there
  (memory $own 4)
  (global $WORK i32 (i32.const 64))
  (global $NAME i32 (i32.const 128))
  (global $TEXT i32 (i32.const 512))
  (global $PREFIX i32 (i32.const 5120))
  (global $DESCRIPTORS i32 (i32.const 10240))
  (global $DESCRIPTORS.limit i32 (i32.const 1024))
  (global $PATH_END i32 (i32.const 262136))
  (global $PATH_LIMIT i32 (i32.const 4095))
  (global $NAME_LIMIT i32 (i32.const 255))

  ;; Descriptors 0, 1 and 2.
  (data (memory $own) (i32.const 10240) "\01") ;; $STDIN
  (data (memory $own) (i32.const 10272) "\02") ;; $STDOUT
  (data (memory $own) (i32.const 10304) "\03") ;; $STDERR

  ;; ---------------------------------------------------------------- Helpers

  ;; Returns whether $length bytes from $address are in the memory of the program.
  (func $inside (param $address i32) (param $length i32) (result i32)
    (i64.le_u
      (i64.add (i64.extend_i32_u (local.get $address)) (i64.extend_i32_u (local.get $length)))
      (i64.shl (i64.extend_i32_u (memory.size $app)) (i64.const 16))))

  ;; Puts a result where the program wants it; returns the error.
  (func $answer32 (param $address i32) (param $value i32) (result i32)
    (if (i32.eqz (call $inside (local.get $address) (i32.const 4))) (then (return (global.get $FAULT))))
    (i32.store $app (local.get $address) (local.get $value))
    (global.get $SUCCESS))

  (func $answer64 (param $address i32) (param $value i64) (result i32)
    (if (i32.eqz (call $inside (local.get $address) (i32.const 8))) (then (return (global.get $FAULT))))
    (i64.store $app (local.get $address) (local.get $value))
    (global.get $SUCCESS))

  (func $min (param $a i32) (param $b i32) (result i32)
    (select (local.get $a) (local.get $b) (i32.lt_u (local.get $a) (local.get $b))))

  ;; Returns a word whose byte is 0x80 where that of $word is 0, and 0 elsewhere.
  (func $zero_bytes (param $word i64) (result i64)
    (i64.xor (i64.const -1)
      (i64.or (i64.const 0x7f7f7f7f7f7f7f7f)
        (i64.or (local.get $word)
          (i64.add (i64.const 0x7f7f7f7f7f7f7f7f)
            (i64.and (local.get $word) (i64.const 0x7f7f7f7f7f7f7f7f)))))))

  ;; ---------------------------------------------------------------- Arguments and environment

  (func (export "args_sizes_get") (param $count i32) (param $size i32) (result i32)
    (call $sizes (i32.const 0) (global.get $argv.end) (local.get $count) (local.get $size)))

  (func (export "args_get") (param $pointers i32) (param $text i32) (result i32)
    (call $strings (i32.const 0) (global.get $argv.end) (local.get $pointers) (local.get $text)))

  (func (export "environ_sizes_get") (param $count i32) (param $size i32) (result i32)
    (call $sizes (global.get $argv.end) (global.get $environ.end) (local.get $count) (local.get $size)))

  (func (export "environ_get") (param $pointers i32) (param $text i32) (result i32)
    (call $strings (global.get $argv.end) (global.get $environ.end) (local.get $pointers) (local.get $text)))

  ;; Stores the number of strings between two places of the input, and that of their bytes.
  (func $sizes (param $first i32) (param $end i32) (param $count i32) (param $size i32) (result i32)
    (if (i32.eqz (call $inside (local.get $size) (i32.const 4))) (then (return (global.get $FAULT))))
    (if (i32.eqz (call $inside (local.get $count) (i32.const 4))) (then (return (global.get $FAULT))))
    (i32.store $app (local.get $count) (call $count (local.get $first) (local.get $end)))
    (i32.store $app (local.get $size) (i32.sub (local.get $end) (local.get $first)))
    (global.get $SUCCESS))

  ;; Copies the strings between two places of the input, and stores where each begins.
  (func $strings (param $first i32) (param $end i32) (param $pointers i32) (param $text i32) (result i32)
    (local $at i32) (local $length i32)
    (local.set $length (i32.sub (local.get $end) (local.get $first)))
    (if (i32.eqz (call $inside (local.get $text) (local.get $length))) (then (return (global.get $FAULT))))
    (if (i32.eqz (call $inside (local.get $pointers)
      (i32.shl (call $count (local.get $first) (local.get $end)) (i32.const 2))))
      (then (return (global.get $FAULT))))
    (memory.copy $app $input (local.get $text) (local.get $first) (local.get $length))
    (local.set $at (local.get $first))
    (block $last
      (loop $string
        (br_if $last (i32.ge_u (local.get $at) (local.get $end)))
        (i32.store $app (local.get $pointers)
          (i32.add (local.get $text) (i32.sub (local.get $at) (local.get $first))))
        (local.set $pointers (i32.add (local.get $pointers) (i32.const 4)))
        (local.set $at (call $after_string (local.get $at) (local.get $end)))
        (br $string)))
    (global.get $SUCCESS))

  ;; Returns the number of strings between two places of the input.
  (func $count (param $at i32) (param $end i32) (result i32)
    (local $count i32)
    (block $last
      (loop $string
        (br_if $last (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $at (call $after_string (local.get $at) (local.get $end)))
        (br $string)))
    (local.get $count))

  ;; Returns the place behind the zero byte that ends the string at a place of the input, or $end if there is none before
  ;; that.
  (func $after_string (param $at i32) (param $end i32) (result i32)
    (local $zeros i64)
    (loop $word
      (local.set $zeros (call $zero_bytes (i64.load $input (local.get $at))))
      (if (i64.eqz (local.get $zeros))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $word (i32.lt_u (local.get $at) (local.get $end)))
          (return (local.get $end)))))
    (call $min (local.get $end) (i32.add (local.get $at) (call $after_zero (local.get $zeros)))))

  ;; Returns how many bytes the first zero byte and those before it are.
  (func $after_zero (param $zero_bytes i64) (result i32)
    (i32.add (i32.const 1) (i32.shr_u (i32.wrap_i64 (i64.ctz (local.get $zero_bytes))) (i32.const 3))))

  ;; ---------------------------------------------------------------- Clocks

  ;; No time passes but by these calls: a tick each time that the program looks at a clock, and what it waits for.

  (global $elapsed (mut i64) (i64.const 0)) ;; nanoseconds

  ;; Returns an error unless the program may use this clock. There are no clocks of processors, as in wasmtime.
  (func $check_clock (param $id i32) (result i32)
    (if (i32.lt_u (local.get $id) (i32.const 2)) (then (return (global.get $SUCCESS))))
    (select (global.get $BADF) (global.get $INVAL) (i32.lt_u (local.get $id) (i32.const 4))))

  (func (export "clock_res_get") (param $id i32) (param $result i32) (result i32)
    (local $error i32)
    (if (local.tee $error (call $check_clock (local.get $id))) (then (return (local.get $error))))
    (return_call $answer64 (local.get $result) (global.get $TICK)))

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $result i32) (result i32)
    (local $error i32)
    (if (local.tee $error (call $check_clock (local.get $id))) (then (return (local.get $error))))
    (if (local.tee $error (call $answer64 (local.get $result) (call $now (local.get $id))))
      (then (return (local.get $error))))
    (global.set $elapsed (i64.add (global.get $elapsed) (global.get $TICK)))
    (global.get $SUCCESS))

  ;; Returns what the clock shows: 0 is the time since 1970, 1 the time since the program began.
  (func $now (param $id i32) (result i64)
    (i64.add (global.get $elapsed)
      (select (i64.const 0) (global.get $clock) (local.get $id))))

  ;; ---------------------------------------------------------------- Random numbers

  ;; SplitMix64, which begins at the seed.
  (func (export "random_get") (param $address i32) (param $length i32) (result i32)
    (if (i32.eqz (call $inside (local.get $address) (local.get $length))) (then (return (global.get $FAULT))))
    (block $end
      (loop $word
        (br_if $end (i32.lt_u (local.get $length) (i32.const 8)))
        (i64.store $app (local.get $address) (call $random))
        (local.set $address (i32.add (local.get $address) (i32.const 8)))
        (local.set $length (i32.sub (local.get $length) (i32.const 8)))
        (br $word)))
    (if (local.get $length)
      (then
        (i64.store $own (global.get $WORK) (call $random))
        (memory.copy $app $own (local.get $address) (global.get $WORK) (local.get $length))))
    (global.get $SUCCESS))

  (func $random (result i64)
    (local $z i64)
    (global.set $seed (local.tee $z (i64.add (global.get $seed) (i64.const 0x9e3779b97f4a7c15))))
    (local.set $z (i64.mul (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 30)))
      (i64.const 0xbf58476d1ce4e5b9)))
    (local.set $z (i64.mul (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 27)))
      (i64.const 0x94d049bb133111eb)))
    (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 31))))

  ;; ---------------------------------------------------------------- The process

  (func (export "proc_exit") (param $status i32)
    (call $exit (local.get $status))
    (unreachable))

  (func (export "proc_raise") (param $signal i32) (result i32)
    (global.get $NOSYS))

  (func (export "sched_yield") (result i32)
    (global.get $SUCCESS))

  ;; ---------------------------------------------------------------- Descriptors

  ;; Every number below `$fds` has been a descriptor; `$closed` of them are closed.
  (global $fds (mut i32) (i32.const 3))
  (global $closed (mut i32) (i32.const 0))

  ;; Returns the address of a descriptor, or 0 if it is not open. This is enough for calls that directories do not
  ;; have: until the tree is used there are no files, and a program with no other calls needs no code for the tree.
  (func $descriptor (param $fd i32) (result i32)
    (if (i32.ge_u (local.get $fd) (global.get $fds)) (then (return (i32.const 0))))
    (local.set $fd (call $place (local.get $fd)))
    (select (local.get $fd) (i32.const 0) (i32.load $own (local.get $fd))))

  ;; The same, after opening those directories that are open from the beginning.
  (func $any_descriptor (param $fd i32) (result i32)
    (if (i32.ge_u (local.get $fd) (i32.const 3)) (then (call $open_tree)))
    (return_call $descriptor (local.get $fd)))

  ;; Returns the address of a descriptor of a file, or 0.
  (func $file (param $fd i32) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (i32.const 0))))
    (select (local.get $d) (i32.const 0) (i32.eq (i32.load $own (local.get $d)) (global.get $FILE))))

  ;; Returns the inode of a directory that is open, or 0.
  (func $directory (param $fd i32) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (i32.const 0))))
    (select (i32.load $own offset=4 (local.get $d)) (i32.const 0)
      (i32.ge_u (i32.load $own (local.get $d)) (global.get $OPENED))))

  (func $place (param $fd i32) (result i32)
    (i32.add (global.get $DESCRIPTORS) (i32.shl (local.get $fd) (i32.const 5))))

  ;; Makes a descriptor; returns its number, or -1 if there are too many. As in wasmtime, it is the highest number
  ;; that is free, and a new one only if none is.
  (func $open (param $kind i32) (param $inode i32) (param $flags i32) (result i32)
    (local $fd i32)
    (if (i32.eqz (global.get $closed))
      (then (return_call $open_new (local.get $kind) (local.get $inode) (local.get $flags))))
    (local.set $fd (global.get $fds))
    (loop $search
      (local.set $fd (i32.sub (local.get $fd) (i32.const 1)))
      (br_if $search (i32.load $own (call $place (local.get $fd)))))
    (global.set $closed (i32.sub (global.get $closed) (i32.const 1)))
    (return_call $set_descriptor (local.get $fd) (local.get $kind) (local.get $inode) (local.get $flags)))

  (func $open_new (param $kind i32) (param $inode i32) (param $flags i32) (result i32)
    (if (i32.ge_u (global.get $fds) (global.get $DESCRIPTORS.limit)) (then (return (i32.const -1))))
    (global.set $fds (i32.add (global.get $fds) (i32.const 1)))
    (return_call $set_descriptor (i32.sub (global.get $fds) (i32.const 1)) (local.get $kind) (local.get $inode)
      (local.get $flags)))

  (func $set_descriptor (param $fd i32) (param $kind i32) (param $inode i32) (param $flags i32) (result i32)
    (local $d i32)
    (local.set $d (call $place (local.get $fd)))
    (i32.store $own (local.get $d) (local.get $kind))
    (i32.store $own offset=4 (local.get $d) (local.get $inode))
    (i64.store $own offset=8 (local.get $d) (i64.const 0))
    (i32.store $own offset=16 (local.get $d) (local.get $flags))
    (local.get $fd))

  (func (export "fd_close") (param $fd i32) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (i32.store $own (local.get $d) (i32.const 0))
    (global.set $closed (i32.add (global.get $closed) (i32.const 1)))
    (global.get $SUCCESS))

  (func (export "fd_renumber") (param $from i32) (param $to i32) (result i32)
    (local $f i32) (local $t i32)
    (local.set $f (call $any_descriptor (local.get $from)))
    (local.set $t (call $any_descriptor (local.get $to)))
    (if (i32.eqz (i32.and (i32.ne (local.get $f) (i32.const 0)) (i32.ne (local.get $t) (i32.const 0))))
      (then (return (global.get $BADF))))
    (if (i32.ne (local.get $f) (local.get $t))
      (then
        (memory.copy $own $own (local.get $t) (local.get $f) (i32.const 32))
        (i32.store $own (local.get $f) (i32.const 0))
        (global.set $closed (i32.add (global.get $closed) (i32.const 1)))))
    (global.get $SUCCESS))

  ;; Writes an fdstat: +0 type (u8); +2 flags (u16); +8 rights; +16 rights that are inherited.
  (func (export "fd_fdstat_get") (param $fd i32) (param $result i32) (result i32)
    (local $d i32) (local $kind i32) (local $rights i64)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 24))) (then (return (global.get $FAULT))))
    (local.set $kind (i32.load $own (local.get $d)))
    (i32.store8 $app (local.get $result) (call $type_of (local.get $d)))
    (i32.store16 $app offset=2 (local.get $result) (i32.load $own offset=16 (local.get $d)))
    ;; wasmtime's rights, which wasi-libc takes for what can be opened, and for whether there is a terminal. A stream
    ;; has FD_READ or FD_WRITE, an open file has all but FD_WRITE, and an open directory also lacks FD_SEEK and
    ;; both of those that set a size.
    (local.set $rights (i64.const 0x3fffffbf))
    (if (i32.ge_u (local.get $kind) (global.get $OPENED)) (then (local.set $rights (i64.const 0x3fb7ffbb))))
    (if (i32.eq (local.get $kind) (global.get $STDIN)) (then (local.set $rights (i64.const 0x02))))
    (if (i32.or (i32.eq (local.get $kind) (global.get $STDOUT)) (i32.eq (local.get $kind) (global.get $STDERR)))
      (then (local.set $rights (i64.const 0x40))))
    (i64.store $app offset=16 (local.get $result) (local.get $rights))
    ;; A directory that is open from the beginning has the rights to paths, and passes on those to files.
    (if (i32.eq (local.get $kind) (global.get $PREOPENED))
      (then
        (local.set $rights (i64.const 0x07b7fe00))
        (i64.store $app offset=16 (local.get $result) (i64.const 0x0ff7ffff))))
    (i64.store $app offset=8 (local.get $result) (local.get $rights))
    (global.get $SUCCESS))

  ;; Returns the type of file of a descriptor. Only a stream that is a terminal has one.
  (func $type_of (param $d i32) (result i32)
    (local $kind i32)
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.ge_u (local.get $kind) (global.get $FILE))
      (then (return (select (global.get $REGULAR) (global.get $DIRECTORY)
        (i32.eq (local.get $kind) (global.get $FILE))))))
    (i32.and (global.get $CHARACTER_DEVICE)
      (i32.shl (i32.shr_u (global.get $terminals) (i32.sub (local.get $kind) (i32.const 1))) (i32.const 1))))

  (func (export "fd_fdstat_set_flags") (param $fd i32) (param $flags i32) (result i32)
    (local $d i32)
    (if (i32.gt_u (local.get $flags) (global.get $FLAGS_MOST)) (then (return (global.get $INVAL))))
    (if (i32.eqz (local.tee $d (call $file (local.get $fd))))
      (then (return (global.get $BADF))))
    (if (i32.and (local.get $flags) (global.get $ANY_SYNC))
      (then (return (global.get $INVAL))))
    (i32.store $own offset=16 (local.get $d) (local.get $flags))
    (global.get $SUCCESS))

  (func (export "fd_fdstat_set_rights") (param $fd i32) (param $rights i64) (param $inherited i64) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (select (global.get $BADF) (global.get $NOSYS) (i32.lt_u (i32.load $own (local.get $d)) (global.get $FILE))))

  ;; Writes a prestat: +0 0, for a directory (u8); +4 the length of its name.
  (func (export "fd_prestat_get") (param $fd i32) (param $result i32) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.ne (i32.load $own (local.get $d)) (global.get $PREOPENED)) (then (return (global.get $BADF))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 8))) (then (return (global.get $FAULT))))
    (i32.store8 $app (local.get $result) (i32.const 0))
    (i32.store $app offset=4 (local.get $result)
      (i32.load $own offset=20 (i32.load $own offset=4 (local.get $d))))
    (global.get $SUCCESS))

  (func (export "fd_prestat_dir_name") (param $fd i32) (param $address i32) (param $size i32) (result i32)
    (local $d i32) (local $root i32) (local $length i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.ne (i32.load $own (local.get $d)) (global.get $PREOPENED)) (then (return (global.get $NOTDIR))))
    (local.set $length (i32.load $own offset=20 (local.tee $root (i32.load $own offset=4 (local.get $d)))))
    (if (i32.gt_u (local.get $length) (local.get $size)) (then (return (global.get $NAMETOOLONG))))
    (if (i32.eqz (call $inside (local.get $address) (local.get $length))) (then (return (global.get $FAULT))))
    (memory.copy $app $own (local.get $address) (i32.add (local.get $root) (i32.const 48)) (local.get $length))
    (global.get $SUCCESS))

  (func (export "fd_filestat_get") (param $fd i32) (param $result i32) (result i32)
    (local $d i32)
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.ge_u (i32.load $own (local.get $d)) (global.get $FILE))
      (then (return_call $answer_stat (local.get $result) (i32.load $own offset=4 (local.get $d)))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 64))) (then (return (global.get $FAULT))))
    (call $store_stat (local.get $result) (i32.const 0) (i32.const 0) (call $type_of (local.get $d)) (i32.const 0)
      (i32.const 0) (i64.const 0))
    (global.get $SUCCESS))

  (func (export "fd_advise") (param $fd i32) (param $offset i64) (param $length i64) (param $advice i32) (result i32)
    (if (i32.gt_u (local.get $advice) (i32.const 5)) (then (return (global.get $INVAL))))
    (if (i32.eqz (call $file (local.get $fd))) (then (return (global.get $BADF))))
    (select (global.get $INVAL) (global.get $SUCCESS) (i64.lt_s (local.get $length) (i64.const 0))))

  (func $check_file (export "fd_sync") (export "fd_datasync") (param $fd i32) (result i32)
    (select (global.get $SUCCESS) (global.get $BADF) (call $file (local.get $fd))))

  ;; What would write to a file.

  (func (export "fd_allocate") (param $fd i32) (param $offset i64) (param $length i64) (result i32)
    (select (global.get $ROFS) (global.get $BADF) (call $file (local.get $fd))))

  (func (export "fd_filestat_set_size") (param $fd i32) (param $size i64) (result i32)
    (select (global.get $ROFS) (global.get $BADF) (call $file (local.get $fd))))

  (func (export "fd_filestat_set_times") (param $fd i32) (param $accessed i64) (param $modified i64) (param $flags i32)
    (result i32)
    (local $d i32)
    (if (call $bad_times (local.get $flags)) (then (return (global.get $INVAL))))
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (select (global.get $BADF) (global.get $ROFS) (i32.lt_u (i32.load $own (local.get $d)) (global.get $FILE))))

  ;; Returns whether these flags ask for a time and the time of the clock at once, or for what there is not.
  (func $bad_times (param $flags i32) (result i32)
    (i32.or (i32.gt_u (local.get $flags) (i32.const 15))
      (i32.and (i32.and (local.get $flags) (i32.const 5))
        (i32.shr_u (local.get $flags) (i32.const 1)))))

  ;; ---------------------------------------------------------------- Streams and files

  ;; As in wasmtime, a call moves the bytes of one buffer, the first that is not empty.

  (global $buffer (mut i32) (i32.const 0))
  (global $buffer.length (mut i32) (i32.const 0))

  ;; Finds that buffer in an array of pairs, address and length. Returns an error if the array is out of bounds.
  (func $find_buffer (param $array i32) (param $count i32) (result i32)
    (global.set $buffer (i32.const 0))
    (global.set $buffer.length (i32.const 0))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $count)))
        (if (i32.eqz (call $inside (local.get $array) (i32.const 8))) (then (return (global.get $FAULT))))
        (if (i32.load $app offset=4 (local.get $array))
          (then
            (global.set $buffer (i32.load $app (local.get $array)))
            (global.set $buffer.length (i32.load $app offset=4 (local.get $array)))
            (br $end)))
        (local.set $array (i32.add (local.get $array) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (global.get $SUCCESS))

  (func (export "fd_read") (param $fd i32) (param $array i32) (param $count i32) (param $result i32) (result i32)
    (local $d i32) (local $kind i32) (local $position i64) (local $error i32)
    (if (call $find_buffer (local.get $array) (local.get $count)) (then (return (global.get $FAULT))))
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.eq (local.get $kind) (global.get $STDIN)) (then (return_call $read_stdin (local.get $result))))
    (if (i32.ne (local.get $kind) (global.get $FILE)) (then (return (global.get $BADF))))
    (if (i32.eqz (call $inside (global.get $buffer) (global.get $buffer.length)))
      (then (return (global.get $FAULT))))
    (local.set $position (i64.load $own offset=8 (local.get $d)))
    (if (local.tee $error (call $read_file (i32.load $own offset=4 (local.get $d)) (local.get $position)
      (global.get $buffer.length) (local.get $result)))
      (then (return (local.get $error))))
    (i64.store $own offset=8 (local.get $d)
      (i64.add (local.get $position) (i64.load32_u $app (local.get $result))))
    (global.get $SUCCESS))

  (func (export "fd_pread") (param $fd i32) (param $array i32) (param $count i32) (param $offset i64)
    (param $result i32) (result i32)
    (local $d i32) (local $kind i32)
    (if (call $find_buffer (local.get $array) (local.get $count)) (then (return (global.get $FAULT))))
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.eq (local.get $kind) (global.get $STDIN)) (then (return (global.get $SPIPE))))
    (if (i32.ne (local.get $kind) (global.get $FILE)) (then (return (global.get $BADF))))
    (return_call $read_file (i32.load $own offset=4 (local.get $d)) (local.get $offset)
      (call $min (global.get $buffer.length) (global.get $MOST_READ)) (local.get $result)))

  (func $read_stdin (param $result i32) (result i32)
    (local $length i32)
    ;; This waits for input.
    (local.set $length (i32.sub (global.get $stdin.end) (global.get $stdin.position)))
    ;; A read of nothing while there is input is, in wasmtime, a read that was interrupted.
    (if (local.get $length)
      (then (if (i32.eqz (global.get $buffer.length)) (then (return (global.get $INTR))))))
    (local.set $length
      (call $min (local.get $length) (call $min (global.get $buffer.length) (global.get $MOST_READ))))
    (if (i32.eqz (call $inside (global.get $buffer) (local.get $length))) (then (return (global.get $FAULT))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 4))) (then (return (global.get $FAULT))))
    (memory.copy $app $input (global.get $buffer) (global.get $stdin.position) (local.get $length))
    (global.set $stdin.position (i32.add (global.get $stdin.position) (local.get $length)))
    (i32.store $app (local.get $result) (local.get $length))
    (global.get $SUCCESS))

  ;; Reads at most $length bytes of a file into the buffer, and writes how many to $result; returns the error.
  (func $read_file (param $inode i32) (param $position i64) (param $length i32) (param $result i32) (result i32)
    (local $left i32)
    ;; A file can have at most 2^63 - 1 bytes.
    (if (i64.lt_s (local.get $position) (i64.const 0)) (then (return (global.get $INVAL))))
    (if (i64.lt_s (i64.add (local.get $position) (i64.extend_i32_u (local.get $length))) (i64.const 0))
      (then (return (global.get $INVAL))))
    (local.set $left (i32.load $own offset=36 (local.get $inode)))
    (local.set $left
      (select (i32.sub (local.get $left) (i32.wrap_i64 (local.get $position))) (i32.const 0)
        (i64.lt_u (local.get $position) (i64.extend_i32_u (local.get $left)))))
    (local.set $length (call $min (local.get $length) (local.get $left)))
    (if (i32.eqz (call $inside (global.get $buffer) (local.get $length))) (then (return (global.get $FAULT))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 4))) (then (return (global.get $FAULT))))
    (if (local.get $length) ;; else, the position may be anywhere
      (then
        (memory.copy $app $input (global.get $buffer)
          (i32.add (i32.load $own offset=32 (local.get $inode)) (i32.wrap_i64 (local.get $position)))
          (local.get $length))))
    (i32.store $app (local.get $result) (local.get $length))
    (global.get $SUCCESS))

  (func (export "fd_write") (param $fd i32) (param $array i32) (param $count i32) (param $result i32) (result i32)
    (local $d i32) (local $kind i32) (local $fits i32)
    (if (call $find_buffer (local.get $array) (local.get $count)) (then (return (global.get $FAULT))))
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.eq (local.get $kind) (global.get $FILE))
      (then (return_call $write_file (i64.load $own offset=8 (local.get $d)) (i32.load $own offset=16 (local.get $d)))))
    (if (i32.gt_u (i32.sub (local.get $kind) (global.get $STDOUT)) (i32.const 1))
      (then (return (global.get $BADF))))
    (if (i32.eqz (call $inside (global.get $buffer) (global.get $buffer.length)))
      (then (return (global.get $FAULT))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 4))) (then (return (global.get $FAULT))))
    (if (i32.eq (local.get $kind) (global.get $STDOUT))
      (then
        (local.set $fits (call $min (global.get $buffer.length)
          (i32.sub (global.get $stdout.limit) (global.get $stdout.length))))
        (memory.copy $stdout $app (global.get $stdout.length) (global.get $buffer) (local.get $fits))
        (global.set $stdout.length (i32.add (global.get $stdout.length) (local.get $fits))))
      (else
        (local.set $fits (call $min (global.get $buffer.length)
          (i32.sub (global.get $stderr.limit) (global.get $stderr.length))))
        (memory.copy $stderr $app (global.get $stderr.length) (global.get $buffer) (local.get $fits))
        (global.set $stderr.length (i32.add (global.get $stderr.length) (local.get $fits)))))
    (if (i32.lt_u (local.get $fits) (global.get $buffer.length)) (then (call $output_limit)))
    (i32.store $app (local.get $result) (global.get $buffer.length))
    (global.get $SUCCESS))

  (func (export "fd_pwrite") (param $fd i32) (param $array i32) (param $count i32) (param $offset i64)
    (param $result i32) (result i32)
    (local $d i32) (local $kind i32)
    (if (call $find_buffer (local.get $array) (local.get $count)) (then (return (global.get $FAULT))))
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.eq (local.get $kind) (global.get $FILE))
      (then (return_call $write_file (local.get $offset) (i32.load $own offset=16 (local.get $d)))))
    (select (global.get $SPIPE) (global.get $BADF)
      (i32.le_u (i32.sub (local.get $kind) (global.get $STDOUT)) (i32.const 1))))

  ;; Returns the error for writing to a file: none can be opened for that.
  (func $write_file (param $position i64) (param $flags i32) (result i32)
    (if (i32.eqz (call $inside (global.get $buffer) (global.get $buffer.length)))
      (then (return (global.get $FAULT))))
    (if (i32.and (local.get $flags) (global.get $APPEND)) (then (return (global.get $BADF))))
    (select (global.get $INVAL) (global.get $BADF) (i64.lt_s (local.get $position) (i64.const 0))))

  (func (export "fd_seek") (param $fd i32) (param $offset i64) (param $whence i32) (param $result i32) (result i32)
    (local $d i32) (local $from i64) (local $position i64) (local $error i32)
    (if (i32.gt_u (local.get $whence) (i32.const 2)) (then (return (global.get $INVAL))))
    (if (local.tee $error (call $check_seekable (local.get $fd))) (then (return (local.get $error))))
    (local.set $d (call $place (local.get $fd)))
    (if (i32.eq (local.get $whence) (i32.const 1)) (then
      (local.set $from (i64.load $own offset=8 (local.get $d)))))
    (if (i32.eq (local.get $whence) (i32.const 2)) (then
      (local.set $from (i64.load32_u $own offset=36 (i32.load $own offset=4 (local.get $d))))))
    (local.set $position (i64.add (local.get $from) (local.get $offset)))
    ;; A position is from 0 to 2^64 - 1.
    (if (i32.ne (i64.lt_u (local.get $position) (local.get $from)) (i64.lt_s (local.get $offset) (i64.const 0)))
      (then (return (global.get $INVAL))))
    (if (local.tee $error (call $answer64 (local.get $result) (local.get $position)))
      (then (return (local.get $error))))
    (i64.store $own offset=8 (local.get $d) (local.get $position))
    (global.get $SUCCESS))

  (func (export "fd_tell") (param $fd i32) (param $result i32) (result i32)
    (local $error i32)
    (if (local.tee $error (call $check_seekable (local.get $fd))) (then (return (local.get $error))))
    (return_call $answer64 (local.get $result) (i64.load $own offset=8 (call $place (local.get $fd)))))

  ;; Returns an error unless the descriptor has a position.
  (func $check_seekable (param $fd i32) (result i32)
    (local $d i32) (local $kind i32)
    (if (i32.eqz (local.tee $d (call $descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (local.set $kind (i32.load $own (local.get $d)))
    (if (i32.eq (local.get $kind) (global.get $FILE)) (then (return (global.get $SUCCESS))))
    (select (global.get $SPIPE) (global.get $BADF) (i32.lt_u (local.get $kind) (global.get $FILE))))

  ;; ---------------------------------------------------------------- Directories

  (global $DOTS i32 (i32.const 48)) ;; the address of the names "." and ".."
  (data (memory $own) (i32.const 48) "..")

  ;; Writes as many entries as fit; the last one may be cut off. An entry is a dirent and the name after it. The
  ;; cookie of an entry is how many are before it; 0 is ".", 1 is "..".
  (func (export "fd_readdir") (param $fd i32) (param $address i32) (param $size i32) (param $cookie i64)
    (param $result i32) (result i32)
    (local $d i32) (local $inode i32) (local $index i32) (local $entry i32) (local $left i32) (local $length i32)
    (local $name i32) (local $number i32) (local $type i32)
    (if (i32.eqz (local.tee $inode (call $directory (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 4))) (then (return (global.get $FAULT))))
    (local.set $d (call $place (local.get $fd)))
    (local.set $left (local.get $size))
    ;; No directory has 2^31 entries.
    (local.set $index
      (select (i32.wrap_i64 (local.get $cookie)) (i32.const 0x7fffffff)
        (i64.lt_u (local.get $cookie) (i64.const 0x7fffffff))))
    (local.set $entry (call $seek_entry (local.get $d) (local.get $inode) (local.get $index)))
    (block $end
      (loop $next
        (if (i32.lt_u (local.get $index) (i32.const 2))
          (then
            (local.set $name (global.get $DOTS))
            (local.set $length (i32.add (local.get $index) (i32.const 1)))
            (local.set $number (local.get $inode)) ;; for "..", too, as in wasmtime
            (local.set $type (global.get $DIRECTORY)))
          (else
            (i32.store $own offset=8 (local.get $d) (local.get $index))
            (i32.store $own offset=12 (local.get $d) (local.get $entry))
            (br_if $end (i32.eqz (local.get $entry)))
            (local.set $name (i32.add (local.get $entry) (i32.const 48)))
            (local.set $length (i32.load $own offset=20 (local.get $entry)))
            (local.set $number (i32.load $own offset=12 (local.get $entry)))
            (local.set $type (i32.load $own offset=24 (local.get $number)))))
        (br_if $end (i32.eqz (local.get $left)))
        ;; A dirent: +0 cookie of the next entry (u64); +8 number of the inode (u64); +16 length of the name; +20 type.
        (i64.store $own (global.get $WORK) (i64.extend_i32_u (i32.add (local.get $index) (i32.const 1))))
        (i64.store $own offset=8 (global.get $WORK) (i64.extend_i32_u (local.get $number)))
        (i32.store $own offset=16 (global.get $WORK) (local.get $length))
        (i32.store $own offset=20 (global.get $WORK) (local.get $type))
        (if (call $put (global.get $WORK) (local.get $address) (call $min (local.get $left) (i32.const 24)))
          (then (return (global.get $FAULT))))
        (local.set $address (i32.add (local.get $address) (i32.const 24)))
        (local.set $left (i32.sub (local.get $left) (call $min (local.get $left) (i32.const 24))))
        (local.set $length (call $min (local.get $left) (local.get $length)))
        (if (call $put (local.get $name) (local.get $address) (local.get $length))
          (then (return (global.get $FAULT))))
        (local.set $address (i32.add (local.get $address) (local.get $length)))
        (local.set $left (i32.sub (local.get $left) (local.get $length)))
        (br_if $end (i32.eqz (local.get $left)))
        (if (i32.ge_u (local.get $index) (i32.const 2))
          (then (local.set $entry (i32.load $own offset=8 (local.get $entry)))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (i32.store $app (local.get $result) (i32.sub (local.get $size) (local.get $left)))
    (global.get $SUCCESS))

  ;; Copies bytes to the program; returns the error.
  (func $put (param $from i32) (param $address i32) (param $length i32) (result i32)
    (if (i32.eqz (call $inside (local.get $address) (local.get $length))) (then (return (global.get $FAULT))))
    (memory.copy $app $own (local.get $address) (local.get $from) (local.get $length))
    (global.get $SUCCESS))

  ;; Returns the entry that has $index entries before it, or 0. Where the last fd_readdir stopped is remembered, so
  ;; that reading a directory with a small buffer takes no more time than its length.
  (func $seek_entry (param $d i32) (param $inode i32) (param $index i32) (result i32)
    (local $at i32) (local $entry i32)
    (local.set $at (i32.load $own offset=8 (local.get $d)))
    (local.set $entry (i32.load $own offset=12 (local.get $d)))
    (if (i32.or (i32.lt_u (local.get $at) (i32.const 2)) (i32.lt_u (local.get $index) (local.get $at)))
      (then
        (local.set $at (i32.const 2))
        (local.set $entry (i32.load $own offset=32 (local.get $inode)))))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $entry)))
        (br_if $end (i32.ge_u (local.get $at) (local.get $index)))
        (local.set $entry (i32.load $own offset=8 (local.get $entry)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $entry))

  ;; ---------------------------------------------------------------- Paths

  (func (export "path_open") (param $fd i32) (param $lookup i32) (param $path i32) (param $length i32)
    (param $how i32) (param $rights i64) (param $inherited i64) (param $flags i32) (param $result i32) (result i32)
    (local $d i32) (local $error i32) (local $inode i32) (local $write i32) (local $type i32) (local $slash i32)
    (local $new i32)
    (if (i32.or (i32.gt_u (local.get $lookup) (i32.const 1))
      (i32.or (i32.gt_u (local.get $how) (global.get $HOW_MOST))
        (i32.gt_u (local.get $flags) (global.get $FLAGS_MOST))))
      (then (return (global.get $INVAL))))
    (if (local.tee $error (call $get_path (local.get $path) (local.get $length)))
      (then (return (local.get $error))))
    (if (i32.eqz (local.tee $d (call $any_descriptor (local.get $fd)))) (then (return (global.get $BADF))))
    (if (i32.lt_u (i32.load $own (local.get $d)) (global.get $OPENED))
      (then (return (select (global.get $NOTDIR) (global.get $BADF)
        (i32.eq (i32.load $own (local.get $d)) (global.get $FILE))))))
    (if (i32.and (local.get $flags) (global.get $ANY_SYNC))
      (then (return (global.get $NOTSUP))))
    (if (i32.and (local.get $how) (global.get $OPEN_DIRECTORY))
      (then (if (i32.and (local.get $how) (global.get $CREAT_EXCL_TRUNC))
        (then (return (global.get $INVAL))))))
    ;; What follows is what Linux does on a file system that is read-only.
    (local.set $write
      (i32.or (i32.and (local.get $how) (global.get $TRUNC))
        (i32.and (i32.wrap_i64 (local.get $rights)) (i32.const 0x40 (; FD_WRITE ;)))))
    ;; No file can be made where the path ends in a slash.
    (if (i32.and (local.get $how) (global.get $CREAT)) (then (local.set $slash (call $strip_slashes))))
    ;; A file that must be new may not be a link to another.
    (local.set $new (i32.eq (global.get $CREAT_EXCL) (i32.and (local.get $how) (global.get $CREAT_EXCL))))
    (if (local.get $new) (then (local.set $lookup (i32.const 0))))
    (if (i32.eqz (local.tee $inode
      (call $resolve (i32.load $own offset=4 (local.get $d)) (local.get $lookup))))
      (then
        (if (i32.and (global.get $missing) (local.get $how)) ;; $CREAT is 1
          (then (return (select (global.get $ISDIR) (global.get $ROFS) (local.get $slash)))))
        (return (global.get $error))))
    (if (local.get $slash) (then (return (global.get $ISDIR))))
    (if (local.get $new) (then (return (global.get $EXIST))))
    (local.set $type (i32.load $own offset=24 (local.get $inode)))
    (if (i32.eq (local.get $type) (global.get $SYMLINK)) (then (return (global.get $LOOP))))
    (if (i32.eq (local.get $type) (global.get $DIRECTORY))
      (then
        (if (i32.or (local.get $write) (i32.and (local.get $how) (global.get $CREAT)))
          (then (return (global.get $ISDIR)))))
      (else
        (if (local.get $write) (then (return (global.get $ROFS))))
        (if (i32.and (local.get $how) (global.get $OPEN_DIRECTORY)) (then (return (global.get $NOTDIR))))))
    (if (i32.eqz (call $inside (local.get $result) (i32.const 4))) (then (return (global.get $FAULT))))
    (local.set $fd
      (if (result i32) (i32.eq (local.get $type) (global.get $DIRECTORY))
        (then (call $open (global.get $OPENED) (local.get $inode) (i32.const 0)))
        (else (call $open (global.get $FILE) (local.get $inode) (local.get $flags)))))
    (if (i32.lt_s (local.get $fd) (i32.const 0)) (then (return (global.get $NFILE))))
    (i32.store $app (local.get $result) (local.get $fd))
    (global.get $SUCCESS))

  (func (export "path_filestat_get") (param $fd i32) (param $lookup i32) (param $path i32) (param $length i32)
    (param $result i32) (result i32)
    (local $error i32) (local $inode i32)
    (if (i32.gt_u (local.get $lookup) (i32.const 1)) (then (return (global.get $INVAL))))
    (if (local.tee $error (call $get_directory_and_path (local.get $fd) (local.get $path) (local.get $length)))
      (then (return (local.get $error))))
    (if (i32.eqz (local.tee $inode (call $resolve (global.get $start) (local.get $lookup))))
      (then (return (global.get $error))))
    (return_call $answer_stat (local.get $result) (local.get $inode)))

  (func (export "path_readlink") (param $fd i32) (param $path i32) (param $length i32) (param $address i32)
    (param $size i32) (param $result i32) (result i32)
    (local $error i32) (local $inode i32) (local $from i32)
    (if (local.tee $error (call $get_directory_and_path (local.get $fd) (local.get $path) (local.get $length)))
      (then (return (local.get $error))))
    (if (i32.eqz (local.tee $inode (call $resolve (global.get $start) (i32.const 0))))
      (then (return (global.get $error))))
    (if (i32.ne (i32.load $own offset=24 (local.get $inode)) (global.get $SYMLINK))
      (then (return (global.get $INVAL))))
    ;; wasmtime does not tell a program where a link leads out of the tree.
    (local.set $from (i32.load $own offset=32 (local.get $inode)))
    (local.set $length (i32.load $own offset=36 (local.get $inode)))
    (if (i32.eq (i32.load8_u $input (local.get $from)) (i32.const 0x2f)) (then (return (global.get $PERM))))
    (local.set $length (call $min (local.get $length) (local.get $size)))
    (if (i32.eqz (call $inside (local.get $address) (local.get $length))) (then (return (global.get $FAULT))))
    (if (local.tee $error (call $answer32 (local.get $result) (local.get $length)))
      (then (return (local.get $error))))
    (memory.copy $app $input (local.get $address) (local.get $from) (local.get $length))
    (global.get $SUCCESS))

  ;; What would change the tree.

  (func $change (export "path_create_directory") (export "path_remove_directory") (export "path_unlink_file")
    (param $fd i32) (param $path i32) (param $length i32) (result i32)
    (local $error i32)
    (local.set $error (call $get_directory_and_path (local.get $fd) (local.get $path) (local.get $length)))
    (select (local.get $error) (global.get $ROFS) (local.get $error)))

  (func (export "path_filestat_set_times") (param $fd i32) (param $lookup i32) (param $path i32) (param $length i32)
    (param $accessed i64) (param $modified i64) (param $flags i32) (result i32)
    (if (i32.or (i32.gt_u (local.get $lookup) (i32.const 1)) (call $bad_times (local.get $flags)))
      (then (return (global.get $INVAL))))
    (return_call $change (local.get $fd) (local.get $path) (local.get $length)))

  (func (export "path_symlink") (param $target i32) (param $target.length i32) (param $fd i32) (param $path i32)
    (param $length i32) (result i32)
    (local $error i32)
    (if (i32.eqz (call $directory (local.get $fd))) (then (return (global.get $BADF))))
    (if (local.tee $error (call $get_path (local.get $target) (local.get $target.length)))
      (then (return (local.get $error))))
    (return_call $change (local.get $fd) (local.get $path) (local.get $length)))

  (func (export "path_link") (param $fd i32) (param $lookup i32) (param $path i32) (param $length i32)
    (param $to.fd i32) (param $to i32) (param $to.length i32) (result i32)
    (if (i32.gt_u (local.get $lookup) (i32.const 1)) (then (return (global.get $INVAL))))
    (return_call $rename (local.get $fd) (local.get $path) (local.get $length)
      (local.get $to.fd) (local.get $to) (local.get $to.length)))

  (func $rename (export "path_rename") (param $fd i32) (param $path i32) (param $length i32)
    (param $to.fd i32) (param $to i32) (param $to.length i32) (result i32)
    (local $error i32)
    (if (i32.eqz (call $directory (local.get $to.fd))) (then (return (global.get $BADF))))
    (if (local.tee $error (call $get_directory_and_path (local.get $fd) (local.get $path) (local.get $length)))
      (then (return (local.get $error))))
    (return_call $change (local.get $to.fd) (local.get $to) (local.get $to.length)))

  ;; The path that is being resolved: from `$path` to `$PATH_END`, where a zero byte ends it.
  (global $path (mut i32) (i32.const 0))
  ;; The error if this cannot be the path of anything: it is too long, or has a zero byte in it.
  (global $path.error (mut i32) (i32.const 0))
  ;; The directory that it begins in.
  (global $start (mut i32) (i32.const 0))
  ;; Why it could not be resolved. If only its last component is missing, `$missing` is 1.
  (global $error (mut i32) (i32.const 0))
  (global $missing (mut i32) (i32.const 0))

  ;; Sets `$start` and `$path`; returns the error.
  (func $get_directory_and_path (param $fd i32) (param $path i32) (param $length i32) (result i32)
    (global.set $start (call $directory (local.get $fd)))
    (if (i32.eqz (global.get $start)) (then (return (global.get $BADF))))
    (return_call $get_path (local.get $path) (local.get $length)))

  ;; Sets `$path` and `$path.error`; returns the error if this is no text at all.
  (func $get_path (param $address i32) (param $length i32) (result i32)
    (if (i32.eqz (call $inside (local.get $address) (local.get $length))) (then (return (global.get $FAULT))))
    (global.set $path.error (global.get $SUCCESS))
    (if (i32.gt_u (local.get $length) (global.get $PATH_LIMIT))
      (then
        (global.set $path.error (global.get $NAMETOOLONG))
        (local.set $length (i32.const 0))))
    (global.set $path (i32.sub (global.get $PATH_END) (local.get $length)))
    (memory.copy $own $app (global.get $path) (local.get $address) (local.get $length))
    (select (global.get $SUCCESS) (global.get $ILSEQ) (call $is_utf8)))

  ;; Removes slashes at the end of the path, but not the first byte of it; returns whether there were any.
  (func $strip_slashes (result i32)
    (local $end i32)
    (local.set $end (global.get $PATH_END))
    (block $stop
      (loop $next
        (local.set $end (i32.sub (local.get $end) (i32.const 1)))
        (br_if $stop (i32.le_u (local.get $end) (global.get $path)))
        (br_if $stop (i32.ne (i32.load8_u $own (local.get $end)) (i32.const 0x2f)))
        (i32.store8 $own (local.get $end) (i32.const 0))
        (br $next)))
    (i32.ne (local.get $end) (i32.sub (global.get $PATH_END) (i32.const 1))))

  ;; Returns whether the path is UTF-8. Sets `$path.error` if it has a zero byte.
  (func $is_utf8 (result i32)
    (local $at i32) (local $word i64) (local $byte i32) (local $more i32) (local $code i32) (local $least i32)
    (local.set $at (global.get $path))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $at) (global.get $PATH_END)))
        ;; Eight bytes from 1 to 0x7f need no closer look.
        (local.set $word (i64.load $own (local.get $at)))
        (if (i64.eqz (i64.and (i64.const 0x8080808080808080)
          (i64.or (local.get $word) (i64.sub (local.get $word) (i64.const 0x0101010101010101)))))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br $next)))
        (local.set $byte (i32.load8_u $own (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.lt_u (local.get $byte) (i32.const 0x80))
          (then
            (if (i32.eqz (local.get $byte)) (then (global.set $path.error (global.get $INVAL))))
            (br $next)))
        ;; From 0xc0, 0xe0 and 0xf0, one, two and three bytes follow. Each has six bits.
        (if (i32.or (i32.lt_u (local.get $byte) (i32.const 0xc0)) (i32.ge_u (local.get $byte) (i32.const 0xf8)))
          (then (return (i32.const 0))))
        (local.set $more (i32.add (i32.const 1)
          (i32.add (i32.ge_u (local.get $byte) (i32.const 0xe0)) (i32.ge_u (local.get $byte) (i32.const 0xf0)))))
        ;; A code must need that many bytes: the least codes are 0x80, 0x800 and 0x10000.
        (local.set $least
          (i32.shl (i32.const 0x80)
            (i32.shr_u (i32.mul (i32.sub (local.get $more) (i32.const 1)) (i32.const 9)) (i32.const 1))))
        (local.set $code (i32.and (local.get $byte) (i32.shr_u (i32.const 0x3f) (local.get $more))))
        (loop $follow
          ;; The byte at the end of the path is 0, so this does not go on beyond it.
          (local.set $byte (i32.load8_u $own (local.get $at)))
          (if (i32.ne (i32.and (local.get $byte) (i32.const 0xc0)) (i32.const 0x80))
            (then (return (i32.const 0))))
          (local.set $code (i32.or (i32.shl (local.get $code) (i32.const 6))
            (i32.and (local.get $byte) (i32.const 0x3f))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br_if $follow (local.tee $more (i32.sub (local.get $more) (i32.const 1)))))
        ;; It must not be a surrogate, and is at most 0x10ffff.
        (if (i32.or (i32.lt_u (local.get $code) (local.get $least))
          (i32.or (i32.eq (i32.shr_u (local.get $code) (i32.const 11)) (i32.const 0x1b))
            (i32.gt_u (local.get $code) (i32.const 0x10ffff))))
          (then (return (i32.const 0))))
        (br $next)))
    (i32.const 1))

  ;; Returns the inode that a path leads to from a directory, or 0; then, `$error` says why. No path leads out of that
  ;; directory. A symbolic link at the end is followed if $follow is 1, and also if a slash follows it.
  (func $resolve (param $start i32) (param $follow i32) (result i32)
    (local $at i32) (local $end i32) (local $rest i32) (local $directory i32) (local $inode i32) (local $links i32)
    (local $type i32)
    (global.set $missing (i32.const 0))
    (local.set $at (global.get $path))
    (if (global.get $path.error) (then (return_call $fail (global.get $path.error))))
    (if (i32.eqz (i32.load8_u $own (local.get $at))) (then (return_call $fail (global.get $NOENT))))
    (local.set $directory (local.get $start))
    (loop $next
      ;; A path from the root of the file system leads out of the directory.
      (if (i32.eq (i32.load8_u $own (local.get $at)) (i32.const 0x2f))
        (then (return_call $fail (global.get $PERM))))
      (loop $component
        (local.set $at (call $skip_slashes (local.get $at)))
        (if (i32.eqz (i32.load8_u $own (local.get $at))) (then (return (local.get $directory))))
        (local.set $end (call $take (local.get $at)))
        (if (i32.gt_u (global.get $name.length) (global.get $NAME_LIMIT))
          (then (return_call $fail (global.get $NAMETOOLONG))))
        (if (call $is_dots)
          (then
            (if (i32.eq (call $is_dots) (i32.const 2))
              (then
                (if (i32.eq (local.get $directory) (local.get $start))
                  (then (return_call $fail (global.get $PERM))))
                (local.set $directory (i32.load $own offset=4 (local.get $directory)))))
            (local.set $at (local.get $end))
            (br $component)))
        (local.set $rest (i32.load8_u $own (local.get $end))) ;; 0 at the end of the path
        (local.set $inode (call $find (local.get $directory)))
        (if (i32.eqz (local.get $inode))
          (then
            (global.set $missing (i32.eqz (local.get $rest)))
            (return_call $fail (global.get $NOENT))))
        (local.set $inode (i32.load $own offset=12 (local.get $inode)))
        (local.set $type (i32.load $own offset=24 (local.get $inode)))
        (if (i32.eq (local.get $type) (global.get $SYMLINK))
          (then
            (if (i32.eqz (i32.or (local.get $rest) (local.get $follow))) (then (return (local.get $inode))))
            (local.set $links (i32.add (local.get $links) (i32.const 1)))
            (if (i32.gt_u (local.get $links) (i32.const 40)) (then (return_call $fail (global.get $LOOP))))
            ;; Put the target before the rest of the path.
            (local.set $rest (i32.load $own offset=36 (local.get $inode)))
            (if (i32.eqz (local.get $rest)) (then (return_call $fail (global.get $NOENT))))
            (local.set $at (i32.sub (local.get $end) (local.get $rest)))
            (memory.copy $own $input (local.get $at) (i32.load $own offset=32 (local.get $inode)) (local.get $rest))
            (br $next)))
        (if (i32.eqz (local.get $rest)) (then (return (local.get $inode))))
        (if (i32.ne (local.get $type) (global.get $DIRECTORY)) (then (return_call $fail (global.get $NOTDIR))))
        (local.set $directory (local.get $inode))
        (local.set $at (local.get $end))
        (br $component)))
    (unreachable))

  (func $fail (param $error i32) (result i32)
    (global.set $error (local.get $error))
    (i32.const 0))

  ;; Components of paths. The text is in this module's memory and ends in a zero byte.

  (global $name.length (mut i32) (i32.const 0))

  (func $skip_slashes (param $at i32) (result i32)
    (block $end
      (loop $next
        (br_if $end (i32.ne (i32.load8_u $own (local.get $at)) (i32.const 0x2f)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $at))

  ;; Copies the component at $at to NAME (the beginning of it if it is too long), and sets `$name.length`; returns
  ;; where it ends.
  (func $take (param $at i32) (result i32)
    (local $end i32) (local $kept i32) (local $word i64) (local $stop i64)
    (local.set $end (local.get $at))
    ;; It ends at a zero byte or at a slash.
    (loop $next
      (local.set $word (i64.load $own (local.get $end)))
      (local.set $stop
        (i64.or (call $zero_bytes (local.get $word))
          (call $zero_bytes (i64.xor (local.get $word) (i64.const 0x2f2f2f2f2f2f2f2f)))))
      (if (i64.eqz (local.get $stop))
        (then
          (local.set $end (i32.add (local.get $end) (i32.const 8)))
          (br $next))))
    (local.set $end (i32.sub (i32.add (local.get $end) (call $after_zero (local.get $stop))) (i32.const 1)))
    (global.set $name.length (i32.sub (local.get $end) (local.get $at)))
    (local.set $kept (call $min (global.get $name.length) (global.get $NAME_LIMIT)))
    (memory.copy $own $own (global.get $NAME) (local.get $at) (local.get $kept))
    ;; Zeros up to the end of the word.
    (i64.store $own (i32.add (global.get $NAME) (local.get $kept)) (i64.const 0))
    (local.get $end))

  ;; Returns 1 if NAME is ".", 2 if it is "..", else 0.
  (func $is_dots (result i32)
    (local $word i32)
    (local.set $word (i32.load $own (global.get $NAME)))
    (i32.or (i32.eq (local.get $word) (i32.const 0x2e))
      (i32.shl (i32.eq (local.get $word) (i32.const 0x2e2e)) (i32.const 1))))

  ;; ---------------------------------------------------------------- Status of files

  (func $answer_stat (param $result i32) (param $inode i32) (result i32)
    (local $type i32)
    (if (i32.eqz (call $inside (local.get $result) (i32.const 64))) (then (return (global.get $FAULT))))
    (local.set $type (i32.load $own offset=24 (local.get $inode)))
    (call $store_stat (local.get $result) (i32.const 1) (local.get $inode) (local.get $type)
      (i32.load $own offset=28 (local.get $inode))
      (if (result i32) (i32.eq (local.get $type) (global.get $DIRECTORY))
        (then (i32.const 0))
        (else (i32.load $own offset=36 (local.get $inode))))
      (call $modified (local.get $inode)))
    (global.get $SUCCESS))

  ;; Writes a filestat: +0 device; +8 number of the inode; +16 type (u8); +24 links; +32 size; +40 when it was last
  ;; read; +48 when it was last written; +56 when its status changed. An archive only knows when it was written.
  (func $store_stat (param $result i32) (param $device i32) (param $number i32) (param $type i32) (param $links i32)
    (param $size i32) (param $time i64)
    (i64.store $app (local.get $result) (i64.extend_i32_u (local.get $device)))
    (i64.store $app offset=8 (local.get $result) (i64.extend_i32_u (local.get $number)))
    (i32.store8 $app offset=16 (local.get $result) (local.get $type))
    (i64.store $app offset=24 (local.get $result) (i64.extend_i32_u (local.get $links)))
    (i64.store $app offset=32 (local.get $result) (i64.extend_i32_u (local.get $size)))
    (i64.store $app offset=40 (local.get $result) (local.get $time))
    (i64.store $app offset=48 (local.get $result) (local.get $time))
    (i64.store $app offset=56 (local.get $result) (local.get $time)))

  ;; ---------------------------------------------------------------- Polling

  ;; A subscription has 48 bytes: +0 user data (u64); +8 kind (u8: 0 clock, 1 read, 2 write); of a clock +16 id,
  ;; +24 time (u64), +40 flags (u16: 1 for a time of the clock, not from now); else +16 descriptor.
  ;; An event has 32 bytes: +0 user data (u64); +8 error (u16); +10 kind (u8); +16 bytes (u64); +24 flags (u16).
  ;;
  ;; Streams and files are always ready. If there is none, time passes until the first clock is.
  (func (export "poll_oneoff") (param $subscriptions i32) (param $events i32) (param $count i32) (param $result i32)
    (result i32)
    (local $sub i32) (local $end i32) (local $error i32) (local $wait i64) (local $began i64) (local $ready i32)
    (local $clock i32) (local $d i32) (local $at_end i32)
    (if (i32.eqz (local.get $count)) (then (return (global.get $INVAL))))
    (if (i32.ge_u (local.get $count) (i32.const 0x1000000)) (then (return (global.get $NOMEM))))
    (local.set $end (i32.mul (local.get $count) (i32.const 48)))
    (if (i32.eqz (call $inside (local.get $subscriptions) (local.get $end))) (then (return (global.get $FAULT))))
    (local.set $end (i32.add (local.get $subscriptions) (local.get $end)))
    ;; Check them all, and find out how long to wait.
    (local.set $wait (i64.const -1))
    (local.set $began (global.get $elapsed))
    (local.set $sub (local.get $subscriptions))
    (loop $check
      (if (local.tee $error (call $check_subscription (local.get $sub))) (then (return (local.get $error))))
      (local.set $wait (call $min64 (local.get $wait) (call $time_left (local.get $sub) (local.get $began))))
      (local.set $sub (i32.add (local.get $sub) (i32.const 48)))
      (br_if $check (i32.ne (local.get $sub) (local.get $end))))
    (if (i32.eqz (i32.and
      (call $inside (local.get $events) (i32.shl (local.get $count) (i32.const 5)))
      (call $inside (local.get $result) (i32.const 4))))
      (then (return (global.get $FAULT))))
    ;; Clocks stop at the end of time.
    (global.set $elapsed
      (i64.add (local.get $began)
        (call $min64 (local.get $wait) (i64.xor (local.get $began) (i64.const -1)))))
    ;; Report those that are ready.
    (local.set $sub (local.get $subscriptions))
    (loop $report
      (if (i64.le_u (call $time_left (local.get $sub) (local.get $began)) (local.get $wait))
        (then
          (local.set $clock (i32.eqz (i32.load8_u $app offset=8 (local.get $sub))))
          (local.set $at_end (i32.const 0))
          (if (i32.eqz (local.get $clock))
            (then
              (local.set $d (call $descriptor (i32.load $app offset=16 (local.get $sub))))
              (if (i32.eq (i32.load $own (local.get $d)) (global.get $FILE))
                (then
                  (local.set $at_end (i64.ge_u (i64.load $own offset=8 (local.get $d))
                    (i64.load32_u $own offset=36 (i32.load $own offset=4 (local.get $d)))))))))
          (i64.store $app (local.get $events) (i64.load $app (local.get $sub)))
          (i32.store16 $app offset=8 (local.get $events) (global.get $SUCCESS))
          (i32.store8 $app offset=10 (local.get $events) (i32.load8_u $app offset=8 (local.get $sub)))
          (i64.store $app offset=16 (local.get $events) (i64.extend_i32_u (i32.eqz (local.get $clock))))
          (i32.store16 $app offset=24 (local.get $events) (local.get $at_end))
          (local.set $events (i32.add (local.get $events) (i32.const 32)))
          (local.set $ready (i32.add (local.get $ready) (i32.const 1)))))
      (local.set $sub (i32.add (local.get $sub) (i32.const 48)))
      (br_if $report (i32.ne (local.get $sub) (local.get $end))))
    (i32.store $app (local.get $result) (local.get $ready))
    (global.get $SUCCESS))

  (func $check_subscription (param $sub i32) (result i32)
    (local $kind i32) (local $d i32)
    (local.set $kind (i32.load8_u $app offset=8 (local.get $sub)))
    (if (i32.eqz (local.get $kind))
      (then
        (return (select (global.get $INVAL) (global.get $SUCCESS)
          (i32.or (i32.gt_u (i32.load $app offset=16 (local.get $sub)) (i32.const 1))
            (i32.gt_u (i32.load16_u $app offset=40 (local.get $sub)) (i32.const 1)))))))
    (if (i32.gt_u (local.get $kind) (i32.const 2)) (then (return (global.get $INVAL))))
    (if (i32.eqz (local.tee $d (call $descriptor (i32.load $app offset=16 (local.get $sub)))))
      (then (return (global.get $BADF))))
    (local.set $d (i32.load $own (local.get $d)))
    ;; Files can be read, but not written to.
    (if (i32.eq (local.get $d) (global.get $FILE))
      (then (return (select (global.get $SUCCESS) (global.get $ROFS) (i32.eq (local.get $kind) (i32.const 1))))))
    (if (i32.gt_u (local.get $d) (global.get $FILE)) (then (return (global.get $BADF))))
    (select (global.get $SUCCESS) (global.get $BADF)
      (i32.eq (i32.eq (local.get $d) (global.get $STDIN)) (i32.eq (local.get $kind) (i32.const 1)))))

  ;; Returns how long it takes until a subscription is ready, seen from when $began had elapsed.
  (func $time_left (param $sub i32) (param $began i64) (result i64)
    (local $time i64)
    (if (i32.load8_u $app offset=8 (local.get $sub)) (then (return (i64.const 0))))
    (local.set $time (i64.load $app offset=24 (local.get $sub)))
    (if (i32.eqz (i32.load16_u $app offset=40 (local.get $sub))) (then (return (local.get $time))))
    (if (i32.eqz (i32.load $app offset=16 (local.get $sub)))
      (then (local.set $began (i64.add (local.get $began) (global.get $clock)))))
    (i64.sub (local.get $time) (call $min64 (local.get $time) (local.get $began))))

  (func $min64 (param $a i64) (param $b i64) (result i64)
    (select (local.get $a) (local.get $b) (i64.lt_u (local.get $a) (local.get $b))))

  ;; ---------------------------------------------------------------- Sockets

  ;; There are none.

  (func $no_socket (param $fd i32) (result i32)
    (select (global.get $NOSYS) (global.get $BADF) (call $any_descriptor (local.get $fd))))

  (func (export "sock_accept") (param $fd i32) (param $flags i32) (param $result i32) (result i32)
    (return_call $no_socket (local.get $fd)))

  (func (export "sock_recv") (param $fd i32) (param $array i32) (param $count i32) (param $flags i32)
    (param $result i32) (param $result.flags i32) (result i32)
    (return_call $no_socket (local.get $fd)))

  (func (export "sock_send") (param $fd i32) (param $array i32) (param $count i32) (param $flags i32)
    (param $result i32) (result i32)
    (return_call $no_socket (local.get $fd)))

  (func (export "sock_shutdown") (param $fd i32) (param $how i32) (result i32)
    (return_call $no_socket (local.get $fd)))

  ;; ---------------------------------------------------------------- The tree

  ;; `files` is an archive, and stays where it is. Its index consists of records, one for each name:
  ;;
  ;;    +0 the next record in the same bucket of the hash table
  ;;    +4 the directory that it is in; a root is in itself
  ;;    +8 the next record in the same directory
  ;;   +12 the inode: this record, or another if this name is a hard link
  ;;   +16 the hash of directory and name
  ;;   +20 the length of the name
  ;;   +24 type; from here on, it is the inode. Its address is its number.
  ;;   +28 number of links
  ;;   +32 of a directory: the first record in it; else where its bytes are in the archive
  ;;   +36 of a directory: the last record in it; else how many bytes it has
  ;;   +40 when it was written, in nanoseconds (i64); if this is negative, the header at ~time says it
  ;;   +48 the name, and zeros up to the end of a word
  (global $RECORD i32 (i32.const 48)) ;; the size of a record without its name

  (global $tree.opened (mut i32) (i32.const 0))
  (global $heap (mut i32) (i32.const 262144)) ;; where the next record will be
  (global $buckets (mut i32) (i32.const 0)) ;; the hash table: addresses of records
  (global $buckets.mask (mut i32) (i32.const 0))
  (global $hash (mut i32) (i32.const 0)) ;; what `$find` looked for

  ;; The directory that the archive's entries go to. 0 before the first.
  (global $root (mut i32) (i32.const 0))
  ;; The path in PREFIX, with a slash at its end, leads from the root to this directory.
  (global $prefix.length (mut i32) (i32.const 0))
  (global $prefix.directory (mut i32) (i32.const 0))

  ;; What extended headers say of the entry after them. An address of 0 is nothing, and so is a number of -1.
  (global $long_name (mut i32) (i32.const 0))
  (global $long_name.length (mut i32) (i32.const 0))
  (global $long_link (mut i32) (i32.const 0))
  (global $long_link.length (mut i32) (i32.const 0))
  (global $long_size (mut i64) (i64.const -1))
  (global $long_time (mut i64) (i64.const -1))

  ;; Makes the index and opens the directories that are open from the beginning.
  (func $open_tree
    (local $size i32)
    (if (i32.or (global.get $tree.opened) (i32.eq (global.get $files.end) (global.get $environ.end))) (then (return)))
    (global.set $tree.opened (i32.const 1))
    ;; As many buckets as there can be entries, or a little fewer, but at most 2^17.
    (local.set $size
      (i32.shl (i32.const 4)
        (call $min (i32.const 17)
          (i32.sub (i32.const 32) (i32.clz (i32.shr_u (global.get $files.end) (i32.const 10)))))))
    (global.set $buckets (call $allocate (local.get $size)))
    (if (i32.eqz (global.get $buckets)) (then (return)))
    (global.set $buckets.mask (i32.sub (local.get $size) (i32.const 4)))
    (call $read_archive)
    ;; Without labels, all is in one directory.
    (if (i32.eqz (global.get $root)) (then (call $new_root (global.get $SLASH) (i32.const 1)))))

  ;; Returns the address of that many zero bytes, or 0 if there is no room.
  (func $allocate (param $size i32) (result i32)
    (local $at i32) (local $missing i32)
    (local.set $at (global.get $heap))
    (global.set $heap
      (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.set $missing (i32.sub (global.get $heap) (i32.shl (memory.size $own) (i32.const 16))))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (i32.const -1)
          (memory.grow $own (i32.shr_u (i32.add (local.get $missing) (i32.const 0xffff)) (i32.const 16))))
          (then
            (global.set $heap (local.get $at))
            (return (i32.const 0))))))
    (local.get $at))

  ;; Records

  ;; Returns the record of the name in NAME in a directory, or 0. Sets `$hash`.
  (func $find (param $directory i32) (result i32)
    (local $at i32) (local $end i32) (local $hash i32) (local $word i64) (local $record i32)
    (local.set $at (global.get $NAME))
    (local.set $end (i32.add (local.get $at) (global.get $name.length)))
    (local.set $hash (local.get $directory))
    (loop $next
      (local.set $word (i64.load $own (local.get $at)))
      (local.set $hash (i32.mul (i32.const 0x9e3779b1) (i32.xor (local.get $hash) (i32.wrap_i64 (local.get $word)))))
      (local.set $hash (i32.mul (i32.const 0x85ebca6b) (i32.xor (i32.rotl (local.get $hash) (i32.const 13))
        (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 32))))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 15))))
    (global.set $hash (local.get $hash))
    (local.set $record (i32.load $own (call $bucket (local.get $hash))))
    (block $end_of_bucket
      (loop $next
        (br_if $end_of_bucket (i32.eqz (local.get $record)))
        (if (i32.eq (i32.load $own offset=16 (local.get $record)) (local.get $hash))
          (then
            (if (i32.and
              (i32.eq (i32.load $own offset=4 (local.get $record)) (local.get $directory))
              (i32.eq (i32.load $own offset=20 (local.get $record)) (global.get $name.length)))
              (then
                (br_if $end_of_bucket (call $same_name (i32.add (local.get $record) (i32.const 48))))))))
        (local.set $record (i32.load $own (local.get $record)))
        (br $next)))
    (local.get $record))

  (func $bucket (param $hash i32) (result i32)
    (i32.add (global.get $buckets) (i32.and (local.get $hash) (global.get $buckets.mask))))

  ;; Returns whether a name of the same length is that in NAME. Both have zeros up to the end of a word.
  (func $same_name (param $name i32) (result i32)
    (local $at i32)
    (block $differ
      (loop $next
        (br_if $differ (i64.ne (i64.load $own (local.get $name))
          (i64.load $own (i32.add (global.get $NAME) (local.get $at)))))
        (local.set $name (i32.add (local.get $name) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $next (i32.lt_u (local.get $at) (global.get $name.length))))
      (return (i32.const 1)))
    (i32.const 0))

  ;; Makes a record for a name, with an inode of its own. Returns 0 if there is no room.
  (func $new_record (param $name i32) (param $length i32) (result i32)
    (local $record i32)
    (local.set $record (call $allocate (i32.add (global.get $RECORD) (local.get $length))))
    (if (local.get $record)
      (then
        (i32.store $own offset=12 (local.get $record) (local.get $record))
        (i32.store $own offset=20 (local.get $record) (local.get $length))
        (i32.store $own offset=28 (local.get $record) (i32.const 1))
        (memory.copy $own $own (i32.add (local.get $record) (i32.const 48)) (local.get $name) (local.get $length))))
    (local.get $record))

  ;; Makes a record for what `$find` did not find, in that directory.
  (func $insert (param $directory i32) (result i32)
    (local $record i32) (local $bucket i32) (local $last i32)
    (local.set $record (call $new_record (global.get $NAME) (global.get $name.length)))
    (if (local.get $record)
      (then
        (local.set $bucket (call $bucket (global.get $hash)))
        (i32.store $own (local.get $record) (i32.load $own (local.get $bucket)))
        (i32.store $own (local.get $bucket) (local.get $record))
        (i32.store $own offset=4 (local.get $record) (local.get $directory))
        (i32.store $own offset=16 (local.get $record) (global.get $hash))
        ;; Append it to the directory.
        (local.set $last (i32.load $own offset=36 (local.get $directory)))
        (if (local.get $last)
          (then (i32.store $own offset=8 (local.get $last) (local.get $record)))
          (else (i32.store $own offset=32 (local.get $directory) (local.get $record))))
        (i32.store $own offset=36 (local.get $directory) (local.get $record))))
    (local.get $record))

  ;; The same for a directory.
  (func $insert_directory (param $directory i32) (result i32)
    (local $record i32)
    (local.set $record (call $insert (local.get $directory)))
    (if (local.get $record)
      (then
        (call $make_directory (local.get $record))
        ;; The `..` in it is a link.
        (i32.store $own offset=28 (local.get $directory)
          (i32.add (i32.load $own offset=28 (local.get $directory)) (i32.const 1)))))
    (local.get $record))

  (func $make_directory (param $record i32)
    (i32.store $own offset=24 (local.get $record) (global.get $DIRECTORY))
    (i32.store $own offset=28 (local.get $record) (i32.const 2)))

  ;; Makes a directory that is open from the beginning, and the root of the entries that follow.
  (func $new_root (param $name i32) (param $length i32)
    (local $root i32)
    (if (i32.eqz (local.tee $root (call $new_record (local.get $name) (local.get $length)))) (then (return)))
    (call $make_directory (local.get $root))
    (i32.store $own offset=4 (local.get $root) (local.get $root))
    (global.set $root (local.get $root))
    (global.set $prefix.length (i32.const 0))
    (global.set $prefix.directory (i32.const 0))
    ;; Even if the program has closed a stream before, this is descriptor 3, 4, ….
    (drop (call $open_new (global.get $PREOPENED) (local.get $root) (i32.const 0))))

  (global $SLASH i32 (i32.const 56)) ;; the address of the name "/"
  (data (memory $own) (i32.const 56) "/")

  ;; The archive. A header has 512 bytes: +0 name (100); +124 size (12); +136 when it was written, in seconds (12);
  ;; +148 checksum (8); +156 type; +157 where a link leads (100); +257 "ustar" and 0 if there is a prefix;
  ;; +345 prefix of the name (155). Numbers are octal. The bytes of the file follow, up to a multiple of 512.

  ;; Adds all entries to the index, up to a header that is damaged. An archive ends in headers of zeros, which have a
  ;; wrong checksum, too.
  (func $read_archive
    (local $header i32) (local $data i32) (local $size i64) (local $type i32)
    (local.set $header (global.get $environ.end))
    (loop $next
      (local.set $data (i32.add (local.get $header) (i32.const 512)))
      (if (i32.gt_u (local.get $data) (global.get $files.end)) (then (return)))
      (if (i64.ne (call $number (i32.add (local.get $header) (i32.const 148)) (i32.const 8))
        (i64.extend_i32_u (call $checksum (local.get $header))))
        (then (return)))
      (local.set $type (i32.load8_u $input offset=156 (local.get $header)))
      (local.set $size (call $number (i32.add (local.get $header) (i32.const 124)) (i32.const 12)))
      (if (i64.lt_s (local.get $size) (i64.const 0)) (then (return)))
      ;; Links, devices and directories (from "1" to "6") have no bytes, whatever their header says.
      (if (i32.lt_u (i32.sub (local.get $type) (i32.const 0x31)) (i32.const 6))
        (then (local.set $size (i64.const 0)))
        (else
          (if (i32.and (i64.ge_s (global.get $long_size) (i64.const 0)) (i32.eqz (call $is_extended (local.get $type))))
            (then (local.set $size (global.get $long_size))))))
      (if (i64.gt_u (local.get $size)
        (i64.extend_i32_u (i32.sub (global.get $files.end) (local.get $data))))
        (then (return)))
      (if (call $is_extended (local.get $type))
        (then
          (if (i32.eqz (call $read_extended (local.get $type) (local.get $data) (i32.wrap_i64 (local.get $size))))
            (then (return))))
        (else
          (call $add_entry (local.get $header) (local.get $type) (i32.wrap_i64 (local.get $size)))
          (global.set $long_name (i32.const 0))
          (global.set $long_link (i32.const 0))
          (global.set $long_size (i64.const -1))
          (global.set $long_time (i64.const -1))))
      (local.set $header
        (i32.add (local.get $data)
          (i32.and (i32.add (i32.wrap_i64 (local.get $size)) (i32.const 511)) (i32.const -512))))
      (br $next)))

  ;; Returns the sum of the bytes of a header, those of the checksum taken for spaces.
  (func $checksum (param $header i32) (result i32)
    (local $at i32) (local $sum i32)
    (local.set $at (local.get $header))
    (local.set $sum (i32.sub (i32.const 256)
      (call $sum8 (i32.add (local.get $header) (i32.const 148)))))
    (loop $next
      (local.set $sum (i32.add (local.get $sum)
        (i32.add
          (i32.add (call $sum8 (local.get $at)) (call $sum8 (i32.add (local.get $at) (i32.const 8))))
          (i32.add (call $sum8 (i32.add (local.get $at) (i32.const 16)))
            (call $sum8 (i32.add (local.get $at) (i32.const 24)))))))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $next (i32.lt_u (local.get $at) (i32.add (local.get $header) (i32.const 512)))))
    (local.get $sum))

  (func $sum8 (param $at i32) (result i32)
    (i32.add
      (i32.add
        (i32.add (i32.load8_u $input (local.get $at)) (i32.load8_u $input offset=1 (local.get $at)))
        (i32.add (i32.load8_u $input offset=2 (local.get $at)) (i32.load8_u $input offset=3 (local.get $at))))
      (i32.add
        (i32.add (i32.load8_u $input offset=4 (local.get $at)) (i32.load8_u $input offset=5 (local.get $at)))
        (i32.add (i32.load8_u $input offset=6 (local.get $at)) (i32.load8_u $input offset=7 (local.get $at))))))

  ;; Returns a number in a header, or less than 0 if it is none: octal digits between spaces before and a space or a
  ;; zero after, or, where the first byte is 0x80, the bytes after that.
  (func $number (param $at i32) (param $length i32) (result i64)
    (local $end i32) (local $byte i32) (local $value i64)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (if (i32.ge_u (i32.load8_u $input (local.get $at)) (i32.const 0x80))
      (then
        (if (i32.ne (i32.load8_u $input (local.get $at)) (i32.const 0x80)) (then (return (i64.const -1))))
        (loop $next
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (if (i32.eq (local.get $at) (local.get $end)) (then (return (local.get $value))))
          (local.set $value
            (i64.or (i64.shl (local.get $value) (i64.const 8)) (i64.load8_u $input (local.get $at))))
          (br $next))))
    (block $stop
      (loop $next
        (br_if $stop (i32.eq (local.get $at) (local.get $end)))
        (br_if $stop (i32.ne (i32.load8_u $input (local.get $at)) (i32.const 0x20)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    ;; Three digits at a time.
    (block $few
      (loop $next
        (br_if $few (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 3)))
        (local.set $byte (i32.load $input (local.get $at)))
        (br_if $few (i32.ne (i32.and (local.get $byte) (i32.const 0xf8f8f8)) (i32.const 0x303030)))
        (local.set $value
          (i64.or (i64.shl (local.get $value) (i64.const 9))
            (i64.extend_i32_u
              (i32.or (i32.shl (i32.and (local.get $byte) (i32.const 7)) (i32.const 6))
                (i32.or (i32.and (i32.shr_u (local.get $byte) (i32.const 5)) (i32.const 0x38))
                  (i32.and (i32.shr_u (local.get $byte) (i32.const 16)) (i32.const 7)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 3)))
        (br $next)))
    (loop $next
      (if (i32.eq (local.get $at) (local.get $end)) (then (return (local.get $value))))
      (local.set $byte (i32.sub (i32.load8_u $input (local.get $at)) (i32.const 0x30)))
      (if (i32.lt_u (local.get $byte) (i32.const 8))
        (then
          (local.set $value
            (i64.or (i64.shl (local.get $value) (i64.const 3)) (i64.extend_i32_u (local.get $byte))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $next))))
    (select (i64.const -1) (local.get $value)
      (i32.and (i32.load8_u $input (local.get $at)) (i32.const 0xdf (; all but a space ;)))))

  ;; Extended headers have as their bytes what they say of the entry after them: "L" its name, "K" where it leads, "x"
  ;; both and more. A "g" is for all entries after it, and says nothing of interest.

  (func $is_extended (param $type i32) (result i32)
    (i32.or
      (i32.or (i32.eq (local.get $type) (i32.const 0x4c)) (i32.eq (local.get $type) (i32.const 0x4b)))
      (i32.or (i32.eq (local.get $type) (i32.const 0x78)) (i32.eq (local.get $type) (i32.const 0x67)))))

  ;; Returns 0 if it is damaged.
  (func $read_extended (param $type i32) (param $at i32) (param $size i32) (result i32)
    (if (i32.eq (local.get $type) (i32.const 0x78))
      (then (return_call $read_pax (local.get $at) (i32.add (local.get $at) (local.get $size)))))
    (if (i32.eq (local.get $type) (i32.const 0x4c))
      (then
        (global.set $long_name (local.get $at))
        (global.set $long_name.length (local.get $size))))
    (if (i32.eq (local.get $type) (i32.const 0x4b))
      (then
        (global.set $long_link (local.get $at))
        (global.set $long_link.length (local.get $size))))
    (i32.const 1))

  ;; Reads the records of an "x". Each is: its length in decimal, a space, a key, "=", a value, a newline.
  (func $read_pax (param $at i32) (param $end i32) (result i32)
    (local $next i32) (local $key i64)
    (loop $record
      (if (i32.eq (local.get $at) (local.get $end)) (then (return (i32.const 1))))
      (local.set $key (call $decimal (local.get $at) (local.get $end)))
      (if (i64.gt_u (local.get $key) (i64.extend_i32_u (i32.sub (local.get $end) (local.get $at))))
        (then (return (i32.const 0))))
      (local.set $next (i32.add (local.get $at) (i32.wrap_i64 (local.get $key))))
      (local.set $at (i32.add (global.get $decimal.end) (i32.const 1)))
      (if (i32.ge_u (local.get $at) (local.get $next)) (then (return (i32.const 0))))
      (if (i32.ne (i32.load8_u $input (global.get $decimal.end)) (i32.const 0x20)) (then (return (i32.const 0))))
      (if (i32.ne (i32.load8_u $input (i32.sub (local.get $next) (i32.const 1))) (i32.const 0x0a))
        (then (return (i32.const 0))))
      (call $read_pax_record (local.get $at) (i32.sub (local.get $next) (i32.const 1)))
      (local.set $at (local.get $next))
      (br $record))
    (unreachable))

  ;; No key that is looked for goes beyond the end of a record, since none has a newline.
  (func $read_pax_record (param $at i32) (param $end i32)
    (local $key i64)
    (local.set $key (i64.load $input (local.get $at)))
    (if (i64.eq (i64.const 0x3d68746170 (; "path=" ;)) (i64.and (local.get $key) (i64.const 0xffffffffff)))
      (then
        (global.set $long_name (i32.add (local.get $at) (i32.const 5)))
        (global.set $long_name.length (i32.sub (local.get $end) (global.get $long_name)))))
    (if (i64.eq (i64.const 0x3d657a6973 (; "size=" ;)) (i64.and (local.get $key) (i64.const 0xffffffffff)))
      (then
        (global.set $long_size (call $decimal (i32.add (local.get $at) (i32.const 5)) (local.get $end)))))
    (if (i64.eq (i64.const 0x3d656d69746d (; "mtime=" ;)) (i64.and (local.get $key) (i64.const 0xffffffffffff)))
      (then
        (global.set $long_time (call $decimal_time (i32.add (local.get $at) (i32.const 6)) (local.get $end)))))
    (if (i64.eq (i64.const 0x687461706b6e696c (; "linkpath" ;)) (local.get $key))
      (then
        (if (i32.eq (i32.load8_u $input offset=8 (local.get $at)) (i32.const 0x3d))
          (then
            (global.set $long_link (i32.add (local.get $at) (i32.const 9)))
            (global.set $long_link.length (i32.sub (local.get $end) (global.get $long_link))))))))

  (global $decimal.end (mut i32) (i32.const 0))

  ;; Returns the number at the beginning of some bytes, and sets where it ends.
  (func $decimal (param $at i32) (param $end i32) (result i64)
    (local $value i64) (local $byte i32)
    (block $stop
      (loop $next
        (br_if $stop (i32.eq (local.get $at) (local.get $end)))
        (local.set $byte (i32.sub (i32.load8_u $input (local.get $at)) (i32.const 0x30)))
        (br_if $stop (i32.gt_u (local.get $byte) (i32.const 9)))
        ;; What is larger than any size is all the same.
        (if (i64.lt_u (local.get $value) (i64.const 0x40000000000000))
          (then
            (local.set $value (i64.add (i64.mul (local.get $value) (i64.const 10))
              (i64.extend_i32_u (local.get $byte))))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (global.set $decimal.end (local.get $at))
    (local.get $value))

  ;; Returns the nanoseconds of a number of seconds that may have a fraction. What is before 1970 is 0.
  (func $decimal_time (param $at i32) (param $end i32) (result i64)
    (local $time i64)
    (local.set $time (call $seconds (call $decimal (local.get $at) (local.get $end))))
    (local.set $at (global.get $decimal.end))
    (if (i32.ne (i32.load8_u $input (local.get $at)) (i32.const 0x2e)) (then (return (local.get $time))))
    (i64.add (local.get $time)
      (call $decimal_fraction (i32.add (local.get $at) (i32.const 1)) (local.get $end))))

  (func $decimal_fraction (param $at i32) (param $end i32) (result i64)
    (local $digits i32) (local $value i64) (local $byte i32)
    (loop $next
      (local.set $value (i64.mul (local.get $value) (i64.const 10)))
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (local.set $byte (i32.sub (i32.load8_u $input (local.get $at)) (i32.const 0x30)))
          (if (i32.lt_u (local.get $byte) (i32.const 10))
            (then
              (local.set $value (i64.add (local.get $value) (i64.extend_i32_u (local.get $byte))))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))))))
      (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $digits) (i32.const 9))))
    (local.get $value))

  ;; Returns the nanoseconds of a number of seconds, or 0 if there are too many or it is none.
  (func $seconds (param $seconds i64) (result i64)
    (select (i64.mul (local.get $seconds) (i64.const 1000000000)) (i64.const 0)
      (i64.lt_u (local.get $seconds) (i64.const 0x400000000))))

  ;; Returns when an inode was written. Most are never asked, so this is not read when the index is made.
  (func $modified (param $inode i32) (result i64)
    (local $time i64)
    (local.set $time (i64.load $own offset=40 (local.get $inode)))
    (if (i64.ge_s (local.get $time) (i64.const 0)) (then (return (local.get $time))))
    (return_call $seconds
      (call $number
        (i32.add (i32.const 136) (i32.xor (i32.const -1) (i32.wrap_i64 (local.get $time)))) (i32.const 12))))

  ;; Adds an entry to the index, unless it can have no place in the tree.
  (func $add_entry (param $header i32) (param $type i32) (param $size i32)
    (local $from i32) (local $target i32) (local $directory i32) (local $record i32) (local $inode i32)
    (if (i32.eq (local.get $type) (i32.const 0x56)) ;; "V", a label
      (then
        (if (call $load_name (local.get $header))
          (then (call $new_root (global.get $TEXT) (call $text_length))))
        (return)))
    (if (i32.eqz (global.get $root)) (then (call $new_root (global.get $SLASH) (i32.const 1))))
    (local.set $from (i32.add (local.get $header) (i32.const 512)))
    ;; "0", 0 and "7" are files, "1" is a hard link, "2" a symbolic link, "5" a directory.
    (if (i32.or (i32.eqz (local.get $type)) (i32.eq (local.get $type) (i32.const 0x37)))
      (then (local.set $type (i32.const 0x30))))
    (if (i32.eqz (i32.or (i32.lt_u (i32.sub (local.get $type) (i32.const 0x30)) (i32.const 3))
      (i32.eq (local.get $type) (i32.const 0x35))))
      (then (return)))
    (if (i32.le_u (i32.sub (local.get $type) (i32.const 0x31)) (i32.const 1))
      (then
        (local.set $from (global.get $long_link))
        (if (i32.eqz (local.get $from))
          (then
            (local.set $from (i32.add (local.get $header) (i32.const 157)))
            (global.set $long_link.length (i32.const 100))))
        (if (i32.eqz (call $load_text (local.get $from) (global.get $long_link.length))) (then (return)))
        (local.set $size (call $text_length))))
    (if (i32.eq (local.get $type) (i32.const 0x31))
      (then
        (drop (call $walk (i32.const 0)))
        (if (i32.eqz (global.get $walk.record)) (then (return)))
        (local.set $target (i32.load $own offset=12 (global.get $walk.record)))
        (if (i32.eq (i32.load $own offset=24 (local.get $target)) (global.get $DIRECTORY)) (then (return)))))
    (if (i32.eqz (call $load_name (local.get $header))) (then (return)))
    (if (i32.eqz (local.tee $directory (call $walk (i32.const 1)))) (then (return)))
    (local.set $record (global.get $walk.record))
    ;; In old archives, a directory is a file with a slash after its name.
    (if (i32.or (i32.eq (local.get $type) (i32.const 0x35))
      (i32.and (i32.eq (local.get $type) (i32.const 0x30)) (global.get $walk.slash)))
      (then
        (if (i32.eqz (local.get $record))
          (then
            (if (i32.eqz (local.tee $record (call $insert_directory (local.get $directory)))) (then (return)))))
        (local.set $inode (i32.load $own offset=12 (local.get $record)))
        (if (i32.eq (i32.load $own offset=24 (local.get $inode)) (global.get $DIRECTORY))
          (then (call $set_time (local.get $inode) (local.get $header))))
        (return)))
    ;; An entry takes the place of one before it, unless that is a directory.
    (if (local.get $record)
      (then
        (local.set $inode (i32.load $own offset=12 (local.get $record)))
        (if (i32.eq (i32.load $own offset=24 (local.get $inode)) (global.get $DIRECTORY)) (then (return)))
        (call $add_links (local.get $inode) (i32.const -1))
        (if (i32.eqz (local.get $target))
          (then
            (if (i32.eqz (local.tee $inode (call $new_record (global.get $NAME) (i32.const 0)))) (then (return)))
            (i32.store $own offset=12 (local.get $record) (local.get $inode)))))
      (else
        (if (i32.eqz (local.tee $record (call $insert (local.get $directory)))) (then (return)))
        (local.set $inode (local.get $record))))
    (if (local.get $target)
      (then
        (i32.store $own offset=12 (local.get $record) (local.get $target))
        (call $add_links (local.get $target) (i32.const 1))
        (return)))
    (i32.store $own offset=24 (local.get $inode)
      (select (global.get $SYMLINK) (global.get $REGULAR) (i32.eq (local.get $type) (i32.const 0x32))))
    (i32.store $own offset=32 (local.get $inode) (local.get $from))
    (i32.store $own offset=36 (local.get $inode) (local.get $size))
    (call $set_time (local.get $inode) (local.get $header)))

  (func $add_links (param $inode i32) (param $more i32)
    (i32.store $own offset=28 (local.get $inode)
      (i32.add (i32.load $own offset=28 (local.get $inode)) (local.get $more))))

  (func $set_time (param $inode i32) (param $header i32)
    (i64.store $own offset=40 (local.get $inode)
      (select (global.get $long_time)
        (i64.xor (i64.const -1) (i64.extend_i32_u (local.get $header)))
        (i64.ge_s (global.get $long_time) (i64.const 0)))))

  ;; Paths in the archive, in TEXT

  ;; Puts the name of an entry there. Returns 0 if it is too long.
  (func $load_name (param $header i32) (result i32)
    (local $at i32)
    (if (global.get $long_name)
      (then (return_call $load_text (global.get $long_name) (global.get $long_name.length))))
    (local.set $at (global.get $TEXT))
    (if (i32.and
      (i64.eq (i64.const 0x7261747375 (; "ustar", 0 ;))
        (i64.and (i64.load $input offset=257 (local.get $header)) (i64.const 0xffffffffffff)))
      (i32.ne (i32.load8_u $input offset=345 (local.get $header)) (i32.const 0)))
      (then
        (drop (call $load_text (i32.add (local.get $header) (i32.const 345)) (i32.const 155)))
        (local.set $at (i32.add (local.get $at) (call $text_length)))
        (i32.store8 $own (local.get $at) (i32.const 0x2f))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    (memory.copy $own $input (local.get $at) (local.get $header) (i32.const 100))
    (i32.store8 $own offset=100 (local.get $at) (i32.const 0))
    (i32.const 1))

  (func $load_text (param $from i32) (param $length i32) (result i32)
    (if (i32.gt_u (local.get $length) (global.get $PATH_LIMIT)) (then (return (i32.const 0))))
    (memory.copy $own $input (global.get $TEXT) (local.get $from) (local.get $length))
    (i32.store8 $own (i32.add (global.get $TEXT) (local.get $length)) (i32.const 0))
    (i32.const 1))

  (func $text_length (result i32)
    (local $at i32) (local $zero_bytes i64)
    (local.set $at (global.get $TEXT))
    (loop $next
      (local.set $zero_bytes (call $zero_bytes (i64.load $own (local.get $at))))
      (if (i64.eqz (local.get $zero_bytes))
        (then
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $next))))
    (i32.sub (i32.add (local.get $at) (call $after_zero (local.get $zero_bytes)))
      (i32.add (global.get $TEXT) (i32.const 1))))

  (global $walk.record (mut i32) (i32.const 0))
  (global $walk.slash (mut i32) (i32.const 0))

  ;; Goes from the root along the path, and makes the directories that are missing if $create is 1. Returns the
  ;; directory of the last component, which is then in NAME, and sets `$walk.record` to its record if it has one, and
  ;; `$walk.slash` to whether a slash follows it. Returns 0 if the path leads out of the root, or through what is not
  ;; a directory. A path that ends in "." or ".." has no last component, and what ends where PREFIX does needs none:
  ;; then, `$walk.record` is the record of the directory that the path leads to.
  (func $walk (param $create i32) (result i32)
    (local $at i32) (local $end i32) (local $next i32) (local $directory i32) (local $record i32)
    (global.set $walk.record (i32.const 0))
    (local.set $at (global.get $TEXT))
    (local.set $directory (global.get $root))
    ;; Most entries are in the same directory as the one before.
    (if (call $has_prefix)
      (then
        (local.set $at (i32.add (local.get $at) (global.get $prefix.length)))
        (local.set $directory (global.get $prefix.directory))))
    (loop $component
      (local.set $at (call $skip_slashes (local.get $at)))
      (if (i32.eqz (i32.load8_u $own (local.get $at)))
        (then
          (global.set $walk.record (local.get $directory))
          (global.set $walk.slash (i32.const 1))
          (return (local.get $directory))))
      (local.set $end (call $take (local.get $at)))
      (if (i32.gt_u (global.get $name.length) (global.get $NAME_LIMIT)) (then (return (i32.const 0))))
      (if (call $is_dots)
        (then
          (if (i32.eq (call $is_dots) (i32.const 2))
            (then
              (if (i32.eq (local.get $directory) (global.get $root)) (then (return (i32.const 0))))
              (local.set $directory (i32.load $own offset=4 (local.get $directory)))))
          (local.set $at (local.get $end))
          (br $component)))
      (local.set $next (call $skip_slashes (local.get $end)))
      (local.set $record (call $find (local.get $directory)))
      (if (i32.eqz (i32.load8_u $own (local.get $next)))
        (then
          (call $remember_prefix (i32.sub (local.get $at) (global.get $TEXT)) (local.get $directory))
          (global.set $walk.record (local.get $record))
          (global.set $walk.slash (i32.ne (local.get $next) (local.get $end)))
          (return (local.get $directory))))
      (if (i32.eqz (local.get $record))
        (then
          (if (local.get $create) (then (local.set $record (call $insert_directory (local.get $directory)))))
          (if (i32.eqz (local.get $record)) (then (return (i32.const 0))))))
      (local.set $directory (i32.load $own offset=12 (local.get $record)))
      (if (i32.ne (i32.load $own offset=24 (local.get $directory)) (global.get $DIRECTORY))
        (then (return (i32.const 0))))
      (local.set $at (local.get $next))
      (br $component))
    (unreachable))

  ;; Returns whether the path begins with that in PREFIX, if there is any.
  (func $has_prefix (result i32)
    (local $at i32) (local $left i32) (local $differ i64)
    (local.set $left (global.get $prefix.length))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $left)))
        (local.set $differ (i64.xor
          (i64.load $own (i32.add (global.get $TEXT) (local.get $at)))
          (i64.load $own (i32.add (global.get $PREFIX) (local.get $at)))))
        (if (i32.lt_u (local.get $left) (i32.const 8))
          (then
            (return (i64.eqz (i64.shl (local.get $differ)
              (i64.sub (i64.const 64) (i64.extend_i32_u (i32.shl (local.get $left) (i32.const 3)))))))))
        (if (i64.ne (local.get $differ) (i64.const 0)) (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 8)))
        (br $next)))
    (i32.ne (local.get $at) (i32.const 0)))

  (func $remember_prefix (param $length i32) (param $directory i32)
    (if (i32.eq (local.get $directory) (global.get $prefix.directory)) (then (return)))
    (global.set $prefix.length (local.get $length))
    (global.set $prefix.directory (local.get $directory))
    (memory.copy $own $own (global.get $PREFIX) (global.get $TEXT) (local.get $length)))
)
