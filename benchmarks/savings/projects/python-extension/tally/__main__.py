from tally._count import count

print(count("one two three"))
