"""Public fakes of every port, and real local servers that misbehave: for our tests and for yours."""
