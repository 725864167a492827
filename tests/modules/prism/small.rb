def a(b) = b + "c#{1}"
