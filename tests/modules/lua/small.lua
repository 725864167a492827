print(("lua"):rep(2), 6 * 7, #{ 1, 2 })
