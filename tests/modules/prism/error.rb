def broken(a, b
  if a then
end
