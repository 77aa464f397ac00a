module github.com/switchhook/switchhook/packages/go

go 1.19
