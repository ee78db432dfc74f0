// Package adminapi asks the admin API of a service (oncehttp.Admin) and says of each way in which that can end what it means for whoever asked.
package adminapi
