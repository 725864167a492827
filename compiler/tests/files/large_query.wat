;; Found at random: a query of a table is made from a linear form with a constant of 2^40 and more.
;; (Such a query was once taken for one of a jump table.)
;; compare: 16
(module (func (export "f") (param i32 i32 i32 i32) (result i32) (i32.shl (i32.mul (i32.xor (i32.sub (i32.shr_s
(i32.lt_u (i32.lt_s (local.get 0) (i32.const 7886516) ) (i32.const 2131513) ) (i32.add (local.get 3)
(local.get 0) ) ) (i32.lt_s (i32.mul (i32.lt_u (i32.mul (local.get 0) (local.get 1) ) (local.get 1) ) (i32.sub
(i32.const 4) (local.get 3) ) ) (local.get 0) ) ) (i32.lt_u (i32.mul (i32.lt_u (i32.xor (i32.or (i32.sub
(i32.mul (local.get 0) (local.get 1) ) (i32.sub (local.get 1) (i32.sub (local.get 2) (local.get 0) ) ) )
(i32.shr_s (i32.mul (i32.add (local.get 3) (i32.const 31) ) (i32.xor (i32.add (i32.shl (local.get 2)
(i32.shr_s (i32.sub (local.get 3) (local.get 3) ) (local.get 3) ) ) (local.get 2) ) (local.get 3) ) )
(i32.shr_u (i32.sub (i32.mul (local.get 0) (local.get 3) ) (i32.shr_u (i32.const 962228443) (i32.add (i32.mul
(local.get 2) (i32.const 5738806) ) (local.get 3) ) ) ) (i32.mul (i32.or (local.get 1) (i32.lt_u (local.get 0)
(i32.add (local.get 3) (i32.or (i32.const 10388) (i32.add (local.get 1) (i32.shr_u (local.get 3) (local.get 2)
) ) ) ) ) ) (i32.xor (i32.mul (i32.shl (local.get 1) (local.get 0) ) (i32.const 61) ) (i32.and (i32.lt_s
(local.get 3) (i32.const 24071533) ) (i32.lt_u (local.get 2) (local.get 2) ) ) ) ) ) ) ) (i32.lt_s (i32.lt_s
(i32.or (i32.add (i32.const 1455978) (i32.add (local.get 0) (local.get 1) ) ) (i32.shr_u (local.get 0)
(local.get 3) ) ) (i32.xor (i32.shr_u (local.get 2) (i32.sub (local.get 3) (i32.sub (i32.shr_u (local.get 3)
(local.get 1) ) (local.get 3) ) ) ) (local.get 1) ) ) (i32.or (local.get 0) (i32.mul (i32.add (i32.lt_s
(i32.shl (i32.add (i32.mul (local.get 1) (i32.const 501) ) (i32.lt_u (local.get 3) (local.get 1) ) )
(i32.const 4364913) ) (i32.const 111) ) (i32.lt_u (i32.add (i32.xor (i32.and (i32.lt_s (local.get 2)
(local.get 3) ) (i32.or (i32.shr_s (local.get 0) (i32.const 1253) ) (i32.xor (i32.const 38) (i32.or (local.get
3) (local.get 1) ) ) ) ) (i32.shr_u (local.get 0) (local.get 3) ) ) (i32.xor (i32.const 309845154) (i32.const
388893) ) ) (i32.add (i32.shr_s (local.get 2) (i32.shr_u (i32.const 73) (local.get 1) ) ) (i32.mul (i32.shl
(local.get 1) (local.get 0) ) (local.get 2) ) ) ) ) (i32.lt_u (i32.or (i32.add (i32.add (i32.const 10611056)
(i32.xor (i32.shl (local.get 0) (local.get 1) ) (local.get 1) ) ) (i32.const 8317677) ) (i32.lt_u (i32.and
(i32.shr_s (local.get 1) (i32.add (local.get 3) (i32.const 12307) ) ) (local.get 0) ) (i32.add (i32.or
(local.get 1) (i32.xor (local.get 0) (local.get 0) ) ) (i32.shr_s (i32.and (i32.mul (local.get 1) (local.get
0) ) (i32.const 11) ) (local.get 3) ) ) ) ) (i32.lt_u (i32.sub (local.get 1) (local.get 1) ) (i32.shl (i32.or
(i32.const 2) (i32.const 0) ) (i32.const 414035) ) ) ) ) ) ) ) (i32.sub (i32.lt_s (i32.add (i32.sub (local.get
2) (i32.sub (i32.sub (i32.add (local.get 2) (i32.add (i32.const 34) (local.get 2) ) ) (i32.or (local.get 1)
(i32.sub (local.get 3) (local.get 2) ) ) ) (i32.shr_u (local.get 2) (local.get 1) ) ) ) (local.get 1) )
(i32.or (local.get 1) (i32.const 4964) ) ) (i32.sub (i32.and (i32.shl (local.get 1) (i32.const 86) )
(local.get 3) ) (i32.add (i32.shr_s (local.get 2) (local.get 3) ) (i32.mul (i32.const 1806047) (local.get 2) )
) ) ) ) (i32.shr_s (i32.lt_s (i32.lt_u (i32.lt_u (local.get 2) (local.get 3) ) (i32.sub (i32.shr_u (local.get
2) (local.get 3) ) (i32.xor (local.get 1) (local.get 3) ) ) ) (i32.shr_u (local.get 0) (i32.xor (local.get 3)
(i32.sub (i32.mul (i32.const 292836180) (local.get 3) ) (i32.const 39923) ) ) ) ) (i32.mul (i32.lt_s (i32.mul
(local.get 0) (local.get 2) ) (i32.or (i32.const 2206) (local.get 3) ) ) (i32.shr_u (i32.sub (local.get 1)
(i32.or (local.get 1) (local.get 2) ) ) (i32.shr_s (local.get 3) (local.get 1) ) ) ) ) ) (i32.shl (i32.mul
(i32.add (i32.lt_u (i32.shr_u (local.get 0) (i32.shl (i32.const 26231) (i32.const 768274) ) ) (i32.and
(local.get 0) (i32.sub (local.get 0) (local.get 1) ) ) ) (i32.sub (local.get 3) (i32.add (local.get 3)
(i32.const 220) ) ) ) (i32.mul (local.get 0) (local.get 1) ) ) (i32.shr_u (i32.shr_s (i32.mul (i32.and
(local.get 3) (local.get 3) ) (i32.lt_s (local.get 0) (local.get 1) ) ) (i32.shr_u (local.get 0) (i32.const
820253) ) ) (i32.mul (i32.add (i32.sub (i32.const 336) (i32.xor (i32.const 76581759) (i32.const 5243) ) )
(i32.add (i32.shl (local.get 2) (local.get 0) ) (i32.const 0) ) ) (i32.and (i32.shr_u (i32.sub (i32.const
12149) (i32.const 1618) ) (i32.add (local.get 2) (i32.const 0) ) ) (i32.xor (local.get 3) (i32.shr_u
(local.get 3) (local.get 1) ) ) ) ) ) ) ) ) (i32.shl (i32.xor (i32.lt_s (i32.lt_s (i32.add (local.get 1)
(i32.lt_u (local.get 3) (i32.shr_u (local.get 3) (local.get 1) ) ) ) (local.get 3) ) (i32.sub (i32.and
(i32.shl (local.get 0) (local.get 0) ) (i32.and (i32.or (i32.add (i32.sub (i32.shl (i32.sub (local.get 2)
(local.get 2) ) (i32.shr_u (i32.add (local.get 1) (local.get 0) ) (local.get 1) ) ) (i32.add (i32.lt_s
(i32.and (local.get 0) (local.get 3) ) (i32.add (local.get 2) (local.get 3) ) ) (i32.sub (i32.sub (local.get
1) (local.get 1) ) (i32.const 15) ) ) ) (i32.lt_u (i32.const 129) (i32.xor (i32.const 4) (local.get 3) ) ) )
(i32.sub (i32.xor (i32.shr_u (local.get 1) (local.get 1) ) (local.get 0) ) (i32.add (local.get 1) (i32.sub
(i32.lt_u (local.get 2) (i32.const 1902156) ) (local.get 1) ) ) ) ) (i32.mul (i32.shr_u (i32.lt_s (i32.lt_s
(i32.sub (i32.lt_s (local.get 2) (i32.lt_u (local.get 1) (i32.sub (local.get 3) (local.get 3) ) ) ) (local.get
0) ) (local.get 0) ) (local.get 2) ) (local.get 0) ) (i32.xor (i32.sub (i32.add (local.get 1) (i32.const
257930253) ) (i32.xor (i32.add (i32.const 101) (local.get 3) ) (i32.const 11) ) ) (i32.xor (local.get 0)
(local.get 2) ) ) ) ) ) (i32.lt_u (local.get 2) (i32.and (local.get 0) (local.get 1) ) ) ) ) (i32.shr_u
(i32.and (i32.const 361717) (i32.shl (i32.or (i32.shr_u (i32.shl (i32.const 209027) (i32.const 0) ) (local.get
3) ) (i32.or (i32.lt_s (local.get 3) (local.get 2) ) (i32.shr_s (local.get 2) (i32.const 658542) ) ) )
(i32.add (local.get 2) (local.get 2) ) ) ) (i32.shl (i32.sub (i32.xor (i32.lt_s (i32.const 19491364) (i32.sub
(local.get 1) (local.get 3) ) ) (i32.lt_s (local.get 0) (local.get 0) ) ) (i32.add (i32.and (i32.const 862290)
(local.get 0) ) (i32.lt_s (i32.const 226670813) (local.get 0) ) ) ) (i32.and (i32.add (local.get 3) (i32.const
8487) ) (i32.sub (i32.or (local.get 3) (i32.mul (local.get 2) (local.get 3) ) ) (i32.lt_u (local.get 1)
(local.get 0) ) ) ) ) ) ) (i32.mul (i32.or (i32.add (local.get 0) (i32.xor (i32.shl (local.get 1) (local.get
3) ) (i32.lt_s (i32.add (i32.sub (local.get 1) (local.get 2) ) (i32.add (local.get 1) (i32.add (i32.xor
(local.get 3) (local.get 2) ) (local.get 2) ) ) ) (i32.and (local.get 1) (i32.shr_u (local.get 2) (i32.sub
(i32.const 9260287) (i32.sub (local.get 3) (local.get 3) ) ) ) ) ) ) ) (i32.shr_s (i32.shr_u (i32.add
(i32.lt_u (local.get 2) (i32.or (local.get 2) (i32.shl (i32.add (local.get 2) (local.get 0) ) (i32.const
59786031) ) ) ) (i32.and (local.get 0) (i32.sub (local.get 3) (local.get 1) ) ) ) (i32.lt_u (i32.sub
(local.get 1) (i32.mul (local.get 0) (local.get 2) ) ) (i32.xor (local.get 2) (i32.const 1) ) ) ) (i32.lt_s
(i32.or (i32.shl (i32.and (local.get 0) (i32.const 432) ) (i32.lt_s (i32.const 1882534) (local.get 3) ) )
(i32.shl (local.get 0) (i32.const 48) ) ) (local.get 3) ) ) ) (i32.sub (i32.or (local.get 3) (local.get 1) )
(i32.lt_u (i32.shl (i32.shr_s (local.get 2) (local.get 0) ) (i32.and (local.get 2) (local.get 3) ) )
(local.get 1) ) ) ) ) ) (i32.and (i32.or (i32.or (i32.sub (i32.const 2110) (local.get 2) ) (i32.shr_u
(i32.const 718174) (local.get 3) ) ) (local.get 2) ) (i32.sub (i32.add (local.get 2) (i32.sub (i32.const 1)
(local.get 2) ) ) (i32.add (i32.sub (i32.lt_u (i32.lt_u (local.get 2) (i32.add (local.get 2) (i32.const 13) )
) (i32.xor (local.get 0) (i32.lt_u (local.get 3) (local.get 0) ) ) ) (i32.and (i32.lt_s (local.get 0)
(local.get 1) ) (local.get 0) ) ) (i32.shr_u (i32.or (i32.or (i32.sub (local.get 3) (i32.or (local.get 1)
(local.get 1) ) ) (i32.and (i32.sub (i32.const 233655) (i32.const 124313978) ) (i32.add (local.get 2)
(i32.shr_u (local.get 1) (i32.shl (i32.or (local.get 3) (i32.lt_u (local.get 1) (local.get 3) ) ) (i32.add
(i32.const 54) (local.get 1) ) ) ) ) ) ) (i32.xor (i32.sub (i32.or (i32.add (i32.shr_u (i32.mul (i32.add
(local.get 2) (i32.shr_s (i32.const 304579) (local.get 0) ) ) (local.get 1) ) (local.get 3) ) (i32.xor
(i32.sub (i32.sub (local.get 0) (i32.const 2032) ) (i32.sub (i32.sub (local.get 2) (local.get 2) ) (i32.const
144148611) ) ) (i32.or (local.get 0) (local.get 2) ) ) ) (local.get 3) ) (i32.shr_u (local.get 2) (local.get
0) ) ) (i32.or (i32.sub (i32.lt_u (i32.add (i32.mul (i32.const 19026747) (local.get 1) ) (local.get 3) )
(i32.lt_s (i32.lt_u (i32.xor (local.get 0) (local.get 3) ) (local.get 0) ) (local.get 0) ) ) (i32.sub (i32.and
(local.get 1) (local.get 1) ) (local.get 0) ) ) (i32.lt_u (i32.const 721347) (i32.add (local.get 3) (i32.add
(local.get 2) (i32.add (local.get 1) (local.get 3) ) ) ) ) ) ) ) (i32.shl (i32.shl (local.get 0) (i32.const
31622) ) (i32.xor (i32.sub (i32.const 1296) (i32.const 9506) ) (local.get 2) ) ) ) ) ) ) ) ))
