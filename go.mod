module github.com/gaenkit/gaen

go 1.26
