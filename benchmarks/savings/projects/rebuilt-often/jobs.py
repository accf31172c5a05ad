import time

print("swept at", time.strftime("%H:%M"))
