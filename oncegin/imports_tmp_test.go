package oncegin

import (
	_ "github.com/gin-gonic/gin"
	_ "github.com/onceward/onceward/oncehttp"
)
