"""Mutation: does a user's test fail where the code that it tests is changed?"""
