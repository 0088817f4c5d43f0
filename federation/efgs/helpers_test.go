package efgs

import "time"

var noon = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)
